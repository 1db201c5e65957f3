# SPDX-License-Identifier: Apache-2.0
"""The first code of a worker: makes the package importable from the bytes that the server handed over, then serves.

The bundle is a descriptor that holds, one after another, a file's name, its size, each on a line, and its bytes. This
file is the first of them, and runs before there is anything to import."""

import importlib.machinery
import importlib.util
import os
import sys

PACKAGE = "protean_worker"


class BundleImporter:
    """Finds and runs the modules of the bundle; what a model's folder or interpreter has by that name is not used."""

    def __init__(self, files):
        self._files = files

    def _path(self, name):
        stem = name.replace(".", "/")
        for path in (stem + "/__init__.py", stem + ".py"):
            if path in self._files:
                return path
        return None

    def find_spec(self, name, path=None, target=None):
        found = self._path(name)
        if found is None:
            return None
        is_package = found.endswith("/__init__.py")
        return importlib.machinery.ModuleSpec(name, self, origin=f"<{found}>", is_package=is_package)

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        name = module.__spec__.name
        code = compile(self.get_source(name), f"<protean_worker>/{self._path(name)}", "exec")
        exec(code, module.__dict__)

    def get_source(self, name):
        return self._files[self._path(name)].decode()


def read_bundle(stream):
    """{path: bytes} of what is left of the stream."""
    files = {}
    while path := stream.readline().decode().rstrip("\n"):
        files[path] = stream.read(int(stream.readline()))
    return files


def start(stream, channel):
    """`stream`: the bundle, after this file; `channel`: the descriptor of the channel's socket."""
    sys.meta_path.insert(0, BundleImporter(read_bundle(stream)))
    stream.close()
    if importlib.util.find_spec("numpy") is None:
        sys.exit(f"NumPy is missing: {sys.executable} -m pip install numpy")
    os.set_inheritable(channel, False)
    from protean_worker.serve import main

    main(channel)
