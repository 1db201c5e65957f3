# SPDX-License-Identifier: Apache-2.0
"""What a model's author writes against: one class, and what its methods take and return."""

from __future__ import annotations

import contextvars
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Union

import numpy as np

from protean_worker.signature import Column, Input, Output

Arrays = Mapping[str, np.ndarray]
"""Arrays by the name of the input or output."""

Answer = Union[Arrays, np.ndarray, Sequence[Any]]
"""By name; or, in the order of `Model.outputs`, a sequence of arrays; or one array where there is one output."""

current_request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="")


def request_id() -> str:
    """The id that the client gave the request being answered; several with commas between them when requests share
    a run; empty when none has one."""
    return current_request_id.get()


Place = Callable[[str, tuple[int, ...]], np.ndarray]

_place: Place | None = None
"""In all threads, where the process has one model."""

_place_of_model: contextvars.ContextVar[Place | None] = contextvars.ContextVar("place", default=None)


def empty_output(name: str, shape: Sequence[int]) -> np.ndarray:
    """An array of the output's type, its content undefined, in the memory that the server reads answers from: `predict`
    fills it and returns it whole, and it is not copied. Valid until the call returns. Errors: TypeError for an output of
    BYTES, KeyError for a name that is no output."""
    place = _place or _place_of_model.get()
    if place is None:
        raise RuntimeError("empty_output() is for models that are being served")
    return place(name, tuple(int(size) for size in shape))


def set_place(place: Place, shared: bool = False) -> None:
    """For the worker: what empty_output() calls; where models share the process, on this thread alone."""
    global _place
    if shared:
        _place_of_model.set(place)
    else:
        _place = place


class InvalidInput(ValueError):
    """Raise it for what the client sent: the caller gets its text and status 400 instead of 500."""


@dataclass(frozen=True)
class Explanation:
    """What each feature added to each output: `base` [outputs] and the `values` [rows, features, outputs] of a row add
    up to its `totals` [rows, outputs]. `method`: such as `tree_shap`; `scale`: such as `margin`, `probability`."""

    method: str
    scale: str
    features: Sequence[str]
    outputs: Sequence[str]
    base: np.ndarray
    values: np.ndarray
    totals: np.ndarray


class Model:
    """One loaded version of a model. One method runs at a time, always on the same thread (the main one, unless the
    operator lets models share a process).

    Input arrays are read-only views of shared memory, valid until the call returns: copy what is to be kept. BYTES
    arrays hold `bytes` objects; BF16 arrives as the raw bits, in uint16.
    """

    inputs: Sequence[Input] = ()
    outputs: Sequence[Output] = ()
    columns: Sequence[Column] = ()
    """Of a model that takes tables: the columns of its one matrix, or one for each of its inputs, which are [-1]."""
    max_batch: int | None = None
    """Rows that one call of `predict` takes; larger batches come in parts, and their answers are joined."""

    def load(self, folder: Path) -> None:
        """Called once, before anything else; `folder` holds `model.py` and is the only one that can be read.
        May set `inputs`, `outputs`, `columns` and `max_batch` where they depend on what is loaded."""

    def preprocess(self, inputs: Arrays) -> Any:
        """What `predict` is called with; the arrays themselves unless overridden."""
        return inputs

    def predict(self, inputs: Any) -> Answer | Awaitable[Answer] | Iterator[Answer] | AsyncIterator[Answer]:
        """The outputs. May be `async`. A generator's parts are joined along the first dimension, in their order, and
        answered together when it ends."""
        raise NotImplementedError("predict")

    def postprocess(self, result: Any) -> Answer:
        """Turns what `predict` returned (each part of a generator) into outputs; nothing unless overridden."""
        return result

    def explain(self, inputs: Arrays) -> Explanation | Awaitable[Explanation]:
        """Contributions of the features, where the model has a method of its own; otherwise the server samples."""
        raise NotImplementedError("explain")
