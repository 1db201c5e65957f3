# SPDX-License-Identifier: Apache-2.0
"""Modules of a model's own folder, in a process that several models share: each model has its own, though their names
are the same. Between two imports they are in none of Python's tables."""

from __future__ import annotations

import builtins
import contextvars
import os
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any


def _importable(entry: Path) -> bool:
    return entry.suffix in (".py", ".so") or (entry.is_dir() and any(entry.glob("*.py")))


class OwnModules:
    """Of one model: what lies in `folder` hides modules of that name elsewhere. Not thread-safe but for installed()."""

    def __init__(self, folder: Path):
        self._paths = [str(folder)]
        self._below = tuple({str(folder) + os.sep, str(folder.resolve()) + os.sep})
        self._names = {entry.name.partition(".")[0] for entry in folder.iterdir() if _importable(entry)}
        self._modules: dict[str, ModuleType] = {}

    def __contains__(self, name: str) -> bool:
        return name.partition(".")[0] in self._names

    @contextmanager
    def installed(self) -> Iterator[None]:
        """They, and their folder, are what Python imports from; nobody else's are. Loads and such imports take turns."""
        with _turn:
            if _installed[-1:] == [self]:
                yield
                return
            hidden = {name: module for name, module in sys.modules.items() if name in self}
            for name in hidden:
                del sys.modules[name]
            before = set(sys.modules)
            sys.modules.update(self._modules)
            sys.path[:0] = self._paths
            _installed.append(self)
            try:
                yield
            finally:
                _installed.pop()
                self._take_out(before)
                sys.modules.update(hidden)

    def _take_out(self, before: Set[str]) -> None:
        own = [path for path in sys.path if path in self._paths or path.startswith(self._below)]
        sys.path[:] = [path for path in sys.path if path not in own]
        self._paths = list(dict.fromkeys(own)) or self._paths
        for name in sys.modules.keys() - before:
            if self._owns(sys.modules[name]):
                self._modules[name] = sys.modules.pop(name)
                self._names.add(name.partition(".")[0])

    def _owns(self, module: ModuleType) -> bool:
        places = [getattr(module, "__file__", None), *getattr(module, "__path__", ())]
        return any(isinstance(place, str) and place.startswith(self._below) for place in places)


_turn = threading.RLock()
_installed: list[OwnModules] = []  # of the thread that has its turn
current_modules: contextvars.ContextVar[OwnModules | None] = contextvars.ContextVar("own_modules", default=None)
_import = builtins.__import__


def _import_own(
    name: str,
    globals: Mapping[str, Any] | None = None,  # noqa: A002 - the names of what it takes the place of
    locals: Mapping[str, Any] | None = None,  # noqa: A002
    fromlist: Sequence[str] = (),
    level: int = 0,
) -> ModuleType:
    own = current_modules.get()
    wanted = name if level == 0 else (globals or {}).get("__package__") or ""
    if own is None or wanted not in own:
        return _import(name, globals, locals, fromlist, level)
    with own.installed():
        return _import(name, globals, locals, fromlist, level)


def keep_apart() -> None:
    """Makes `import` look among the own modules of the model whose thread it runs on."""
    builtins.__import__ = _import_own
