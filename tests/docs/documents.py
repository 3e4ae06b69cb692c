"""The documents as tests look at them: headings, fenced blocks, tables, links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = ROOT / "docs"
ALL: Final = (
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted(DOCS.glob("*.md")),
)

_FENCE: Final = re.compile(
    r"(?:<!-- file: (?P<file>\S+) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_HEADING: Final = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
_LINK: Final = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")
_CODE: Final = re.compile(r"`([^`\n]+)`")


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        language: what follows the fence; may be empty.
        text: its lines.
        file: the name under which the document says it is saved, else empty.
        heading: the nearest heading above it.
        adjoins: whether only white space is between it and the block before it.
    """

    language: str
    text: str
    file: str
    heading: str
    adjoins: bool


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def named(name: str) -> str:
    """The text of `docs/{name}.md`."""
    return read(DOCS / f"{name}.md")


def blocks(text: str) -> list[Block]:
    """Every fenced block, in order."""
    found: list[Block] = []
    end = 0
    for match in _FENCE.finditer(text):
        headings = _HEADING.findall(text[: match.start()])
        found.append(
            Block(
                match["language"],
                match["text"],
                match["file"] or "",
                headings[-1] if headings else "",
                adjoins=bool(found) and not text[end : match.start()].strip(),
            )
        )
        end = match.end()
    return found


def prose(text: str) -> str:
    """The text without its fenced blocks."""
    return _FENCE.sub("", text)


def section(text: str, heading: str) -> str:
    """What stands under a heading, up to the next of the same or a higher rank."""
    match = re.search(rf"^(#+) {re.escape(heading)}\n", text, re.MULTILINE)
    assert match is not None, f"there is no heading {heading!r}"
    rest = text[match.end() :]
    following = re.search(rf"^#{{1,{len(match[1])}}} ", rest, re.MULTILINE)
    return rest[: following.start()] if following else rest


def anchors(text: str) -> set[str]:
    """What a link may name after `#`, as GitHub makes it from headings."""
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in _HEADING.findall(prose(text))
    }


def links(text: str) -> list[str]:
    """The targets of all links."""
    return _LINK.findall(prose(text))


def code_spans(text: str) -> set[str]:
    """What stands between backticks in the prose."""
    return set(_CODE.findall(prose(text)))


def rows(text: str) -> Iterator[list[str]]:
    """The rows of all tables, as lists of cells, heads and rules left out."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if not line.startswith("|") or set(line) <= set("|- :"):
            continue
        following = lines[number + 1] if number + 1 < len(lines) else ""
        if following.startswith("|") and set(following) <= set("|- :"):
            continue
        yield [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip("|"))]


def first_cells(text: str) -> list[str]:
    """The first cell of each row, without backticks."""
    return [row[0].strip("`") for row in rows(text)]
