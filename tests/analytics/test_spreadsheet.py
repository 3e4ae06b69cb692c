"""CSV that is safe to open: no cell becomes a formula, whatever a tag holds."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.analytics.spreadsheet import as_csv, safe

SIGNS = "=+-@\uff1d\uff0b\uff0d\uff20"
DANGEROUS = [
    "=1+1",
    "+18005550100",
    "-1",
    "@SUM(1)",
    '=HYPERLINK("http://example.com?x="&A1)',
    "=cmd|' /C calc'!A0",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    "\ttab",
    " =1+1",
    "\u00a0=1+1",
    "\ufeff=1+1",
    '"=1+1',
    "'=1+1",
    "\uff1d1+1",
    "\uff0b1",
    "\uff0d1",
    "\uff20A1",
    "a;=1+1",
    "a,=1+1",
    "a|=1+1",
    "a\t=1+1",
    "a\n=1+1",
    "a\r\n+1",
    "a; -1",
    "=",
    "--",
]
HARMLESS = [
    "",
    "visit-17",
    "a=b",
    "a+b@example.com",
    "1-1",
    "x;y",
    "\U0001f600",
    "caf\u00e9",
    "a, b",
]


def table(*rows: dict[str, Any]) -> list[list[str]]:
    text = as_csv(rows, like={"group": "", "sent": 0, "failed": {}}).decode("utf-8")
    assert text.startswith("\ufeff")
    assert "\r\n" in text
    return list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline="")))


def row(group: str | None, **failed: int) -> dict[str, Any]:
    return {"group": group, "sent": 1, "failed": failed}


def starts_formula(cell: str) -> bool:
    bare = cell.lstrip(' \u00a0\u200b\ufeff"')
    return bare.startswith(tuple(SIGNS)) or cell.startswith(("\t", "\r", "\n"))


@pytest.mark.parametrize("text", DANGEROUS)
def test_no_cell_becomes_a_formula(text: str) -> None:
    """Neither as it is, nor where a program cuts it at another separator."""
    (_, (cell, *_)) = table(row(text))
    assert cell != text
    for separator in (None, ";", "\t", "|", ",", "\n", "\r"):
        for part in cell.split(separator) if separator else [cell]:
            assert not starts_formula(part) or part in {"", "\t"}, (part, separator)
    assert cell.replace("'", "") == text.replace("'", "")


@pytest.mark.parametrize("text", HARMLESS)
def test_harmless_text_stays(text: str) -> None:
    """What no program works out is written as it is."""
    assert safe(text) == text


@given(st.text())
def test_whatever_a_tag_holds(text: str) -> None:
    """No text begins a formula, and the table has one line for it."""
    rows = table(row(text), row("next"))
    assert len(rows) == 3
    assert not starts_formula(rows[1][0])


def test_each_member_of_an_object_has_a_column() -> None:
    """Columns are the members of all rows; what a row lacks is 0; null is empty."""
    assert table(row(None, **{"400": 2}), row("b", **{"4006": 1})) == [
        ["group", "sent", "failed 400", "failed 4006"],
        ["", "1", "2", "0"],
        ["b", "1", "0", "1"],
    ]


def test_nothing_has_a_head() -> None:
    """A table without rows still says what its columns are."""
    assert table() == [["group", "sent"]]
