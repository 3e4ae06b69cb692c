"""What the documents name is there: files, links, headings; their JSON is JSON."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.docs import documents

ROOT = documents.ROOT
# Made while developing or running, and ignored by git.
MADE = (
    ".local/",
    "endpoint.json",
    ".venv",
    "bench.json",
    "local.settings.json",
    "dist/",
    ".azure/",
)
PACKAGES = ("cli", "functions", "local", "shared", "tests", "tools")
PLACES = (*(f"{name}/" for name in PACKAGES), "infra/", "docs/", ".github/", ".ci/")
ENDINGS = re.compile(r"[\w./-]+\.(?:py|md|bicep|json|toml|yaml|yml|sh|txt)")

SOURCES = [
    path
    for place in (*PACKAGES, "infra")
    for path in sorted((ROOT / place).rglob("*"))
    if path.suffix in {".py", ".bicep", ".sh"} and path.parent != Path(__file__).parent
]

# "docs/platform.md 1.3 to 1.7".
REFERENCE = re.compile(r"docs/platform\.md ((?:[0-9.]+(?: to | and |, )?)+)")
DOCUMENT = re.compile(r"docs/[a-z]+\.md")
# "shared/rules/senders.py", "tests/limits", and the same with points.
PATH = re.compile(rf"(?<![\w./-])((?:{'|'.join(PACKAGES)})(?:/[\w-]+)+(?:\.[a-z]+)?)")
MODULE = re.compile(rf"`((?:{'|'.join(PACKAGES)})(?:\.\w+)+)`")
WITHOUT_FOLDER = re.compile(r"(?<![\w/])[a-z]+\.md [0-9]")

each_document = pytest.mark.parametrize("path", documents.ALL, ids=lambda path: path.name)


@each_document
def test_links_resolve(path: Path) -> None:
    """A link inside the project leads to a file that is there, and to a heading in it."""
    text = documents.read(path)
    for link in documents.links(text):
        if re.match(r"https?://", link):
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        assert target.exists(), f"{path.name} links to {link}"
        assert target.is_relative_to(ROOT), f"{path.name} links out of the project: {link}"
        if anchor:
            assert anchor in documents.anchors(documents.read(target)), f"{path.name}: {link}"


@each_document
def test_no_merge_is_left_half_done(path: Path) -> None:
    """A document holds no marks of two versions that nobody chose between."""
    assert not re.search(r"^(?:<{7}|>{7}) ", documents.read(path), re.MULTILINE)


@each_document
def test_named_files_exist(path: Path) -> None:
    """A file or folder of the project that a document names is there."""
    text = documents.read(path)
    saved = {block.file for block in documents.blocks(text)}
    for span in documents.code_spans(text) - saved:
        if span.startswith(MADE) or not (span.startswith(PLACES) or ENDINGS.fullmatch(span)):
            continue
        found = (ROOT / span, path.parent / span, *ROOT.glob(f"*/{span}"))
        assert any(place.exists() for place in found), f"{path.name} names {span}"


@each_document
def test_json_parses(path: Path) -> None:
    """A block that says it is JSON is JSON."""
    for block in documents.blocks(documents.read(path)):
        if block.language == "json":
            json.loads(block.text)


@each_document
def test_fences_name_their_language(path: Path) -> None:
    """Every fence is closed and every other one says what it holds, unless it is plain text."""
    text = documents.read(path)
    assert text.count("\n```") % 2 == 0
    for block in documents.blocks(text):
        assert block.language in {"", "sh", "python", "json", "text", "kusto", "bicep"}


@each_document
def test_one_heading_of_the_first_rank(path: Path) -> None:
    """A document has one title, in its first line."""
    text = documents.prose(documents.read(path))
    assert text.startswith("# ")
    assert len(re.findall(r"^# ", text, re.MULTILINE)) == 1


def test_sections_named_in_code_exist() -> None:
    """A comment that refers to a section of docs/platform.md refers to one that is there."""
    headings = re.findall(r"^#+ ([0-9.]+)", documents.named("platform"), re.MULTILINE)
    sections = {heading.rstrip(".") for heading in headings}
    found = 0
    for path in SOURCES:
        for named in re.findall(
            r"docs/platform\.md ((?:[0-9.]+(?: to | and |, )?)+)", path.read_text()
        ):
            numbers = re.findall(r"[0-9]+(?:\.[0-9]+)?", named)
            assert set(numbers) <= sections, f"{path} names section {named}"
            found += len(numbers)
    assert found


def test_documents_named_in_code_exist() -> None:
    """A document that a comment names is one of ours, and named with its folder."""
    for path in SOURCES:
        text = documents.read(path)
        for named in DOCUMENT.findall(text):
            assert (ROOT / named).exists(), f"{path}: {named}"
        assert not WITHOUT_FOLDER.search(text), f"{path} refers to a document without its folder"


def _is_module(dotted: str) -> bool:
    """Whether a dotted name is a package, a module, or something that may stand in a module."""
    parts = dotted.split(".")
    return ROOT.joinpath(*parts).is_dir() or any(
        ROOT.joinpath(*parts[:length]).with_suffix(".py").is_file()
        for length in range(2, len(parts) + 1)
    )


def test_files_named_in_code_exist() -> None:
    """A file, folder or module of ours that a comment or docstring names is there."""
    for path in SOURCES:
        text = documents.read(path)
        for named in PATH.findall(text):
            places = (ROOT / named, ROOT / f"{named}.py")
            assert any(place.exists() for place in places), f"{path} names {named}"
        for named in MODULE.findall(text):
            assert _is_module(named) or named in MADE, f"{path} names {named}"
