"""Where the records of a list lie, in bytes, however long the list is.

The csv module reads records well but does not say where in the source they are; a piece of a list
is named by its bytes. So splitting is done here: whatever has no quotation mark is split by lines
at the speed of C, and a record with one is measured by a pattern that knows CSV's quotes.

A quote that is opened and not closed would swallow the rest of the list. It is given 64 KiB to
close; then the one line that opened it is broken, and reading goes on with the next.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from functools import cache
from typing import Final, NamedTuple

LONGEST: Final = 64 * 1024
TOO_LONG: Final = "The record is longer than 64 KiB."
UNCLOSED: Final = (
    "A quotation mark is opened here, and the record does not come to an end within 64 KiB."
)
LINE_END: Final = re.compile(rb"\r\n|\n|\r")

_QUOTE: Final = b'"'
_CR: Final = b"\r"
_LF: Final = b"\n"
_LONGEST_END: Final = len(b"\r\n")
# A stray second half of a pair: UTF-8 can carry it, and no strict reading accepts it.
_HALF: Final = "\udc00".encode("utf-8", "surrogatepass")


class CsvRecord(NamedTuple):
    """One record, or one blank line.

    Attributes:
        raw: its bytes in UTF-8 with the line end; empty for one that was too long to be kept.
        size: its bytes in the source.
        lines: how many lines it takes.
        broken: why it is no record; None if it is one.
    """

    raw: bytes
    size: int
    lines: int = 1
    broken: str | None = None


class Splitter:
    """Cuts bytes into records that touch each other and leave nothing out.

    Args:
        encoding: what Python calls it, such as `utf-8`, `utf-16-le` or `cp1252`.
        delimiter: of CSV fields; empty where quotation marks mean nothing (JSON Lines).
        longest: bytes in UTF-8 that a quote may take to close, and a line without an end to end.
    """

    def __init__(self, encoding: str, delimiter: str, *, longest: int = LONGEST) -> None:
        self._longest = longest
        # Small pieces are gathered up to this size, so that a long record is not searched again
        # and again.
        self._block = 4 * longest
        self._quoted = _record_pattern(delimiter) if delimiter else None
        self._decoder = None
        self._encoding, self._wide = encoding, encoding.startswith("utf-16")
        # What cannot be decoded becomes half a surrogate pair, which no strict reading accepts.
        self._errors = "surrogatepass" if self._wide else "surrogateescape"
        if encoding != "utf-8":
            self._decoder = codecs.getincrementaldecoder(encoding)(self._errors)
        self._buffer = b""
        self._dropped = 0  # bytes so far of a line that is too long to be kept
        self._skipping = False

    def feed(self, piece: bytes) -> Iterator[CsvRecord]:
        """The records that are complete so far; few small pieces give none."""
        # Large pieces are taken in parts, so that memory does not depend on the source either.
        for at in range(0, len(piece), self._block):
            part = piece[at : at + self._block]
            if self._decoder is not None:
                part = self._decoder.decode(part).encode("utf-8", "surrogatepass")
            self._buffer += part
            if len(self._buffer) >= self._block:
                yield from self._drain(final=False)

    def finish(self) -> Iterator[CsvRecord]:
        """The rest; the last record needs no line end."""
        cut = 0
        if self._decoder is not None and not self._wide:
            self._buffer += self._decoder.decode(b"", final=True).encode("utf-8", "surrogatepass")
        elif self._decoder is not None and (held := self._decoder.getstate()[0]):
            # The source ends inside a character, so its last record is not whole.
            cut = self._size(_HALF) - len(held)
            self._buffer += _HALF
        last: CsvRecord | None = None
        for record in self._drain(final=True):
            if last is not None:
                yield last
            last = record
        if last is not None:
            yield last._replace(size=last.size - cut)

    def _drain(self, *, final: bool) -> Iterator[CsvRecord]:
        data, at = self._buffer, 0
        while at < len(data):
            if self._skipping:
                at, record = self._skip(data, at, final=final)
                if record is None:
                    break
                yield record
                continue
            quote = data.find(_QUOTE, at) if self._quoted is not None else -1
            end = _end_of_lines(data, at, len(data) if quote < 0 else quote, final=final)
            if end > at:
                yield from self._lines(data[at:end])
                at = end
                continue
            record = self._one(data, at, quoted=quote >= 0, final=final)
            if record is None:
                break
            if record.raw:
                yield record
                at += len(record.raw)
        self._buffer = data[at:]
        if final and self._skipping:
            yield self._forget()

    def _lines(self, block: bytes) -> Iterator[CsvRecord]:
        wide, limit = self._decoder is not None, self._longest
        for line in block.splitlines(keepends=True):
            size = self._size(line) if wide else len(line)
            if len(line) > limit and _content(line) > limit:
                yield CsvRecord(b"", size, broken=TOO_LONG)
            else:
                yield CsvRecord(line, size)

    def _one(self, data: bytes, at: int, *, quoted: bool, final: bool) -> CsvRecord | None:
        """The record at a place where a quotation mark or no line end follows.

        None: more of the source must be seen first. A record without bytes: skipping has begun.
        """
        stop = min(len(data), at + self._longest + _LONGEST_END)
        decided = final or len(data) - at > self._longest + _LONGEST_END
        if not quoted or self._quoted is None:
            if final and len(data) - at <= self._longest:
                return self._record(data[at:])
            return self._start_skipping() if decided else None
        match = self._quoted.match(data, at, stop)
        if match is None:
            return self._broken(data, at, stop) if decided else None
        at_end = match.end() == len(data)
        if (at_end and not final and match["end"] in {b"", _CR}) or (
            match.end() == stop and not at_end and not decided
        ):
            return None
        if _content(match[0]) > self._longest:
            return self._broken(data, at, stop)
        return self._record(match[0])

    def _broken(self, data: bytes, at: int, stop: int) -> CsvRecord:
        """The line that begins a record which cannot be read to its end."""
        line_end = LINE_END.search(data, at, stop)
        content = (stop if line_end is None else line_end.start()) - at
        if content > self._longest:
            return self._start_skipping()
        end = stop if line_end is None else line_end.end()
        return self._record(data[at:end])._replace(broken=UNCLOSED)

    def _record(self, raw: bytes) -> CsvRecord:
        ends = LINE_END.findall(raw)
        open_ended = not raw.endswith((_CR, _LF))
        return CsvRecord(raw, self._size(raw), len(ends) + open_ended)

    def _start_skipping(self) -> CsvRecord:
        self._skipping = True
        return CsvRecord(b"", 0)

    def _skip(self, data: bytes, at: int, *, final: bool) -> tuple[int, CsvRecord | None]:
        line_end = LINE_END.search(data, at)
        if line_end is None:
            self._dropped += self._size(data[at:])
            return len(data), None
        if line_end.end() == len(data) and line_end[0] == _CR and not final:
            self._dropped += self._size(data[at : line_end.start()])
            return line_end.start(), None
        self._dropped += self._size(data[at : line_end.end()])
        return line_end.end(), self._forget()

    def _forget(self) -> CsvRecord:
        size, self._dropped, self._skipping = self._dropped, 0, False
        return CsvRecord(b"", size, broken=TOO_LONG)

    def _size(self, raw: bytes) -> int:
        if self._decoder is None:
            return len(raw)
        if raw.isascii():
            return len(raw) * 2 if self._wide else len(raw)
        return len(raw.decode("utf-8", "surrogatepass").encode(self._encoding, self._errors))


def _content(raw: bytes) -> int:
    """Bytes of a record without its line end."""
    return len(raw) - (raw.endswith((_LF, _CR)) + raw.endswith(b"\r\n"))


def _end_of_lines(data: bytes, at: int, stop: int, *, final: bool) -> int:
    """Where the last whole line in data[at:stop] ends; `at` if there is none."""
    end = max(data.rfind(_LF, at, stop), data.rfind(_CR, at, stop)) + 1
    if end == 0:
        return at
    if data[end - 1 : end] == _CR:
        if data[end : end + 1] == _LF:
            return end + 1
        if end == len(data) and not final:
            # Its LF may be still to come; the lines before it can go.
            return _end_of_lines(data, at, end - 1, final=True)
    return end


@cache
def _record_pattern(delimiter: str) -> re.Pattern[bytes]:
    """One CSV record as the csv module understands it.

    A quotation mark opens a quoted field only where the field begins; in it, two stand for one;
    whatever follows the closing one belongs to the field. Every repetition is possessive, so that
    nothing is tried twice: a hostile line costs no more than an honest one.
    """
    d = re.escape(delimiter).encode()
    field = rb'(?>"[^"]*+(?:""[^"]*+)*+"[^' + d + rb'\r\n]*+|[^"' + d + rb"\r\n][^" + d
    field += rb"\r\n]*+|(?!\"))"
    return re.compile(field + rb"(?:" + d + field + rb")*+(?P<end>\r\n|\n|\r|\Z)")
