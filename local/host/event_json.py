"""What the real host makes of the JSON that Event Grid brings, before a function sees it.

The Event Grid extension parses the body with Newtonsoft's `JToken.Parse`
(WebJobs.Extensions.EventGrid, HttpRequestProcessor.cs) and the host writes each event anew for the
worker (azure-functions-host, GrpcMessageConversionExtensions.cs: `JObject.ToString`). On that way
strings that are dates are rewritten, whoever wrote them and whatever they mean (Newtonsoft.Json,
Utilities/DateTimeUtils.cs and DateTimeParser.cs: `TryParseDateTime`, with an offset turned into the
time of the machine, which is UTC in Azure), halves of surrogate pairs are replaced, and what is
nested deeper than 64 is refused (JsonReader.MaxDepth).
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

_DEEPEST: Final = 64
_ISO: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})T([0-9]{2}):([0-9]{2}:[0-9]{2})(?:\.([0-9]{1,7}))?"
    r"(?:(?P<utc>[Zz])|(?P<sign>[+-])(?P<hours>[0-9]{2}):?(?P<minutes>[0-9]{2})?)?"
)
_SHORTEST, _LONGEST = 19, 40
_MICROSOFT: Final = re.compile(r"/Date\((-?[0-9]{1,15})([+-][0-9]{2}(?:[0-9]{2})?)?\)/")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_HOUR: Final = "24"
_HALF_PAIR: Final = re.compile("[\ud800-\udfff]")


def parse(body: bytes | str) -> Any:
    """The body's content as the functions get to see it.

    Raises:
        ValueError: it is no JSON, or nested too deeply.
        RecursionError: it is nested far too deeply.
    """
    return _rewritten(json.loads(body), 0)


def _rewritten(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return _date(value) or _HALF_PAIR.sub("\ufffd", value)
    if not isinstance(value, list | dict):
        return value
    if depth == _DEEPEST:
        raise ValueError(f"JSON is nested deeper than {_DEEPEST}")
    if isinstance(value, list):
        return [_rewritten(item, depth + 1) for item in value]
    return {
        _HALF_PAIR.sub("\ufffd", name): _rewritten(item, depth + 1) for name, item in value.items()
    }


def _date(text: str) -> str | None:
    """A date in the form in which Newtonsoft writes it; None for what it does not take for one."""
    try:
        if found := _MICROSOFT.fullmatch(text):
            moment = _EPOCH + timedelta(milliseconds=int(found[1]))
            return _written(moment, f"{moment.microsecond:06}", "+00:00" if found[2] else "Z")
        found = _ISO.fullmatch(text) if _SHORTEST <= len(text) <= _LONGEST else None
        return _iso(found) if found else None
    except (ValueError, OverflowError):
        return None


def _iso(found: re.Match[str]) -> str:
    day, hour, rest, fraction = found.groups()[:4]
    if hour == _LAST_HOUR and (rest != "00:00" or (fraction or "").strip("0")):
        raise ValueError("an hour that no day has")
    moment = datetime.fromisoformat(f"{day}T{'00' if hour == _LAST_HOUR else hour}:{rest}")
    if hour == _LAST_HOUR:
        moment += timedelta(days=1)
    if found["sign"] is None:
        return _written(moment, fraction or "", "Z" if found["utc"] else "")
    offset = timedelta(hours=int(found["hours"]), minutes=int(found["minutes"] or 0))
    moment = moment - offset if found["sign"] == "+" else moment + offset
    return _written(moment, fraction or "", "+00:00")


def _written(moment: datetime, fraction: str, zone: str) -> str:
    digits = fraction.rstrip("0")
    whole = moment.replace(tzinfo=None).isoformat(timespec="seconds")
    return whole + (f".{digits}" if digits else "") + zone
