# SPDX-License-Identifier: Apache-2.0
"""Finds the model's class in `model.py`, or the adapter for a file of a library, and loads it."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from protean_worker.interface import Model
from protean_worker.signature import Signature, check_signature

ADAPTERS = ("sklearn", "pyfunc")
MODULE = "model"


def import_file(path: Path) -> ModuleType:
    """Runs a Python file as the module `model`, its folder first on the search path."""
    if str(path.parent) not in sys.path[:1]:
        sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(MODULE, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[MODULE] = module
    spec.loader.exec_module(module)
    return module


def find_class(module: ModuleType) -> type[Model]:
    """The one class of the module that derives from Model and that no other derives from.
    Errors: TypeError when there is none, or more than one."""
    own = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Model) and value.__module__ == module.__name__
    ]
    leaves = [one for one in own if not any(other is not one and issubclass(other, one) for other in own)]
    if len(leaves) != 1:
        found = ", ".join(one.__name__ for one in leaves) or "none"
        raise TypeError(f"classes that derive from protean_worker.Model: {found}; expected exactly one")
    return leaves[0]


def load_model(settings: Mapping[str, str]) -> tuple[Model, Signature]:
    """`settings`: `adapter` (empty: a `model.py`), `path`, `folder`, and what the adapter asks for."""
    path, folder = Path(settings["path"]), Path(settings["folder"])
    adapter = settings.get("adapter", "")
    if adapter:
        if adapter not in ADAPTERS:
            raise ValueError(f"adapter '{adapter}', expected one of {', '.join(ADAPTERS)}")
        model = importlib.import_module(f"protean_worker.adapters.{adapter}").Adapter(path, settings)
        platform = model.platform
    else:
        model = find_class(import_file(path))()
        platform = "python"
    model.load(folder)
    signature = Signature(platform, list(model.inputs), list(model.outputs), list(model.columns))
    check_signature(signature)
    if model.max_batch is not None and model.max_batch < 1:
        raise ValueError(f"max_batch: {model.max_batch}, expected at least 1")
    return model, signature
