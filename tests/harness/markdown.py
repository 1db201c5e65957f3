# SPDX-License-Identifier: Apache-2.0
"""Code blocks of a Markdown file, with the comments that say how they are meant to be tested."""

import re
from dataclasses import dataclass
from pathlib import Path

from harness.paths import ROOT

_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^(?P=indent)```", re.MULTILINE | re.DOTALL
)
_NOT_RUN = re.compile(r"<!-- not run: (.+?) -->\s*\Z")


@dataclass
class Block:
    """`not_run`: the reason why it is not executed, empty when it is."""

    file: Path
    line: int
    language: str
    text: str
    not_run: str

    @property
    def place(self) -> str:
        return f"{self.file.relative_to(ROOT)}:{self.line}"


def blocks_of(file: Path) -> list[Block]:
    content = file.read_text()
    found = []
    for match in _FENCE.finditer(content):
        before = content[: match.start()]
        reason = _NOT_RUN.search(before)
        text = re.sub(rf"^{match['indent']}", "", match["text"], flags=re.MULTILINE)
        found.append(Block(file, before.count("\n") + 1, match["language"], text, reason[1] if reason else ""))
    return found


def documents() -> list[Path]:
    """The pages for users; those for contributors show how to build, which the tests have done."""
    return [ROOT / "README.md", ROOT / "examples" / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
