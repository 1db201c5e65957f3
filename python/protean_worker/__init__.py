# SPDX-License-Identifier: Apache-2.0
"""The interface of Python models: subclass `Model` in a file named `model.py` (docs/backends/python.md)."""

from protean_worker.interface import Explanation, InvalidInput, Model, empty_output, request_id
from protean_worker.signature import Column, Input, Output
from protean_worker.stopping import RunStopped

__all__ = [
    "Column",
    "Explanation",
    "Input",
    "InvalidInput",
    "Model",
    "Output",
    "RunStopped",
    "empty_output",
    "request_id",
]
