# SPDX-License-Identifier: Apache-2.0
"""Where things lie, and small model folders made of the checked-in models."""

import os
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE_MODELS = ROOT / "examples" / "models"
REFERENCES = ROOT / "examples" / "reference"
TEST_MODELS = ROOT / "tests" / "data" / "models"
BROKEN_MODELS = ROOT / "tests" / "data" / "broken"
PROTO = ROOT / "proto"


def binary() -> Path:
    """The program under test: $PROTEAN_BINARY, or what `./dev build dev` made."""
    return Path(os.environ.get("PROTEAN_BINARY", ROOT / "build" / "dev" / "protean"))


def is_sanitized(program: Path) -> bool:
    """Whether the program carries AddressSanitizer or ThreadSanitizer, whose memory says nothing about ours."""
    content = program.read_bytes()
    return b"__asan_init" in content or b"__tsan_init" in content


def plain_binary() -> Path | None:
    """A build without sanitizers, for bounds on memory: the program under test if it is one, or a release."""
    for program in (binary(), Path(os.environ.get("PROTEAN_PLAIN_BINARY", ROOT / "build" / "release" / "protean"))):
        if program.exists() and not is_sanitized(program):
            return program
    return None


def tool(name: str) -> str:
    """A program the tests need; those that are not Debian packages lie in .deps/bin."""
    found = shutil.which(name, path=f"{ROOT / '.deps' / 'bin'}:{os.environ.get('PATH', '')}")
    assert found, f"{name} is not installed: run ./dev setup test"
    return found


def put_model(folder: Path, place: str, source: Path) -> Path:
    """Copies `source` to `folder/place` in one step: written beside it under another name, then renamed."""
    target = folder / place
    target.parent.mkdir(parents=True, exist_ok=True)
    hidden = folder.parent / f".{folder.name}-{place.replace('/', '_')}.partial"
    shutil.copyfile(source, hidden)
    hidden.rename(target)
    return target
