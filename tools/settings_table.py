"""`python -m tools.settings_table`: the tables of docs/configuration.md, from the code.

Prints them; with `--write` puts them into the document, between its comments
`<!-- settings -->` and `<!-- kinds -->` and the `<!-- end -->` that follows each. A test compares.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from shared.rules.senders import KINDS, SenderKind
from shared.settings import describe

DOCUMENT: Final = Path(__file__).parents[1] / "docs" / "configuration.md"
_EXAMPLES: Final = {
    SenderKind.TOLL_FREE: "`+18005550100`",
    SenderKind.SHORT_CODE: "`24680`",
    SenderKind.TEN_DLC: "`+12065550100`",
    SenderKind.LONG_CODE: "`+447400123456`",
    SenderKind.ALPHANUMERIC: "`CONTOSO`",
}


def settings_table() -> str:
    """Every setting, in Markdown."""
    return _table(
        ("setting", "what it is", "required", "default", "secret"),
        (
            (
                f"`{item.name}`",
                item.about,
                "yes" if item.required else "",
                _default(item.default),
                "yes" if item.secret else "",
            )
            for item in describe()
        ),
    )


def kinds_table() -> str:
    """What each kind of sender implies, in Markdown."""
    return _table(
        ("kind", "example", "ratePerMinute", "stopAnsweredBy"),
        (
            (
                f"`{kind}`",
                _EXAMPLES[kind],
                f"{rule.rate_per_minute:,}",
                f"`{rule.stop_answered_by}`",
            )
            for kind, rule in KINDS.items()
        ),
    )


def with_tables(text: str) -> str:
    """The document with its tables as the code has them now.

    Raises:
        ValueError: a place for a table is missing.
    """
    for name, table in (("settings", settings_table()), ("kinds", kinds_table())):
        place = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        if not place.search(text):
            raise ValueError(f"the document has no place for the table of {name}")
        text = place.sub(lambda found, table=table: f"{found[1]}{table}{found[2]}", text)  # type: ignore[misc]
    return text


def _default(value: Any) -> str:
    if value is None or value in ((), frozenset()):
        return ""
    return f"`{_typed(value)}`"


def _typed(value: Any) -> str:
    """A setting's value as somebody would type it."""
    if isinstance(value, timedelta):
        return f"{value.total_seconds():g}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ",".join(map(_typed, value))
    return str(value)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(map(_escaped, cells))} |\n" for cells in lines)


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|")


def main(arguments: list[str]) -> int:
    """Print the tables, or write them where they belong."""
    parser = argparse.ArgumentParser(prog="python -m tools.settings_table", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"put them into {DOCUMENT.name}")
    if parser.parse_args(arguments).write:
        DOCUMENT.write_text(with_tables(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        print(settings_table(), kinds_table(), sep="\n", end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
