"""Analytics as CSV that is safe to open: no cell can become a formula.

RFC 4180, in UTF-8 with a byte order mark, without which Excel takes it for another encoding. Tags,
campaigns and senders are texts from outside. A spreadsheet takes a cell that begins with `=`, `+`,
`-` or `@`, or with a tab or a line end, for something to be worked out; it is told otherwise by an
apostrophe before it. One that expects another separator cuts cells in two, so that what follows a
semicolon, a tab or a line end inside a text is treated alike.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

MARK: Final = "\ufeff"
_MAPS: Final = ("cost", "blocked", "failed", "undelivered", "timeToDelivery")
# The last four are the same signs in full width, which some programs take for them.
_RISKY: Final = re.compile(
    "(?:^|(?<=[,;|\t\r\n]))(?=[\\s\"'\u200b\ufeff]*[=+\\-@\uff1d\uff0b\uff0d\uff20\u2212])"
    "|^(?=[\t\r\n])"
)


def as_csv(rows: Sequence[Mapping[str, Any]], *, like: Mapping[str, Any]) -> bytes:
    """A table with a line for each row; members that are objects have a column for each member.

    Args:
        rows: all with the same members.
        like: a row that says which these are, even where there are no rows.
    """
    columns = list(_columns([like, *rows]))
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([safe(" ".join(column)) for column in columns])
    for row in rows:
        writer.writerow([_cell(row, column) for column in columns])
    return (MARK + out.getvalue()).encode("utf-8", "replace")


def safe(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return _RISKY.sub("'", text)


def _columns(rows: Sequence[Mapping[str, Any]]) -> Iterable[tuple[str, ...]]:
    for name in rows[0]:
        if name in _MAPS:
            members = dict.fromkeys(member for row in rows for member in row[name])
            yield from ((name, member) for member in members)
        else:
            yield (name,)


def _cell(row: Mapping[str, Any], column: tuple[str, ...]) -> str | int | float:
    value = row[column[0]]
    if len(column) > 1:
        value = value.get(column[1], 0 if column[0] != "timeToDelivery" else None)
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, int | float) else safe(str(value))
