# SPDX-License-Identifier: Apache-2.0
"""Builds, when a test runs, a model repository whose weights are links (git keeps no hard links, and a
checkout may lack symbolic ones). Needs nothing but Python.

    make_links.py REPOSITORY OUTSIDE     two folders, made if missing, on one file system

inside       weights.bin is a symbolic link to real.bin beside it: may load, y = x * [1, 2, 3]
symlink      weights.bin is a symbolic link to OUTSIDE/weights.bin: must be refused
symlink_dir  the weights are sub/weights.bin and sub is a symbolic link to OUTSIDE: must be refused
chain        weights.bin -> hop.bin -> OUTSIDE/weights.bin: must be refused
dangling     weights.bin points at nothing: must be refused
loop         weights.bin points at itself: must be refused
fifo         weights.bin is a named pipe, whose opening would wait for ever: must be refused
hard_link    weights.bin is a hard link to OUTSIDE/weights.bin: no path tells, only the link count
"""

import os
import shutil
import sys
from pathlib import Path

DATA = Path(__file__).resolve().parent


def new_model(repository, name, source="model.onnx"):
    folder = repository / name
    folder.mkdir(parents=True)
    shutil.copyfile(DATA / "links" / source, folder / "model.onnx")
    return folder


def main():
    repository, outside = (Path(argument).resolve() for argument in sys.argv[1:3])
    outside.mkdir(parents=True, exist_ok=True)
    weights = outside / "weights.bin"
    shutil.copyfile(DATA / "broken" / "weights.bin", weights)

    folder = new_model(repository, "inside")
    shutil.copyfile(weights, folder / "real.bin")
    (folder / "weights.bin").symlink_to("real.bin")
    (new_model(repository, "symlink") / "weights.bin").symlink_to(weights)
    (new_model(repository, "symlink_dir", "model_deep.onnx") / "sub").symlink_to(outside)
    folder = new_model(repository, "chain")
    (folder / "hop.bin").symlink_to(weights)
    (folder / "weights.bin").symlink_to("hop.bin")
    (new_model(repository, "dangling") / "weights.bin").symlink_to("no_such_file.bin")
    (new_model(repository, "loop") / "weights.bin").symlink_to("weights.bin")
    os.mkfifo(new_model(repository, "fifo") / "weights.bin")
    os.link(weights, new_model(repository, "hard_link") / "weights.bin")


if __name__ == "__main__":
    sys.exit(main())
