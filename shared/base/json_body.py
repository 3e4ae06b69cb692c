"""A request's body: JSON, read by a table of its members, everything that is wrong told at once.

Each body of the interface is one table, a tuple of `Member`: its name, its kind with its bounds,
and the sentence that the caller is told where the value is not of that kind.

    _BODY = (
        Member("from", Text(1, strip=True), "A sender is required.", required=True),
        Member("enableDeliveryReport", Flag()),
    )
    body = Body(parse_json(content), _BODY)
    if body["from"] == ...: body.wrong("from", "...")     # rules over several members
    body.finish()                                         # raises InvalidRequest with all of it

For every table: null is as good as left out; a member that the table does not name is refused,
because a wish that is dropped silently is worse than one that is refused; a text with half a
surrogate pair is not a text, because no encoding can keep it, except where a text is only compared.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from shared.base.errors import InvalidRequest

# What an answer repeats of what the caller wrote has an end.
LONGEST_PLACE: Final = 100
LONGEST_SENTENCE: Final = 400
# Objects and lists in each other. What is deeper can be read, and then not be walked or written.
DEEPEST: Final = 64
CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
# All but tab, line feed, form feed and carriage return.
CONTROLS_IN_LINES: Final = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f]")
HALF_A_PAIR: Final = re.compile(r"[\ud800-\udfff]")
_UNKNOWN: Final = "This member is not known here."
_TOO_DEEP: Final = "The body is nested too deeply."
_NO_TEXT: Final = "This must be a text."


class WrittenFloat(float):
    """A number with a fraction, and as it was written: 10.50 is not 10.5 on a bill.

    Attributes:
        written: its characters.
    """

    def __init__(self, written: str) -> None:
        super().__init__()
        self.written = written


def parse_json(body: bytes, *, parse_float: Callable[[str], float] = float) -> Any:
    """The body as JSON.

    Args:
        body: bytes in UTF-8.
        parse_float: what is made of a number with a fraction or an exponent.

    Raises:
        InvalidRequest: if it is none, with the position.
    """
    try:
        value = json.loads(body, parse_float=parse_float)
    except UnicodeDecodeError:
        raise InvalidRequest.of("", "The body is not UTF-8.") from None
    except json.JSONDecodeError as error:
        raise InvalidRequest.of(
            "", f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}."
        ) from None
    except RecursionError:
        raise InvalidRequest.of("", _TOO_DEEP) from None
    except ValueError:
        # Python's own limit on the digits of a number.
        raise InvalidRequest.of("", "The body has a number that is too long.") from None
    # Python's own limit lets pass what it can read and then not write again.
    if body.count(b"[") + body.count(b"{") > DEEPEST and is_deep(value):
        raise InvalidRequest.of("", _TOO_DEEP)
    return value


def is_deep(value: Any) -> bool:
    """Whether lists and objects stand deeper in each other than `DEEPEST`; however deep they do."""
    level = [value]
    for _ in range(DEEPEST):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True


# Tables -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a body a value stands; what is wrong with the value is said there.

    Attributes:
        name: as the caller would write it: `smsRecipients[3].to`; empty for the whole body.
        errors: what has been said, by place.
        sentence: the table's, for a value that is not of its kind; empty leaves it to the kind.
    """

    name: str
    errors: dict[str, list[str]]
    sentence: str = ""

    def wrong(self, own: str) -> None:
        """Say the table's sentence, or the kind's own where the table has none."""
        self.say(self.sentence or own)

    def say(self, sentence: str) -> None:
        """Say this sentence, whatever the table has."""
        if len(sentence) > LONGEST_SENTENCE:
            sentence = f"{sentence[: LONGEST_SENTENCE - 4]} ..."
        said = self.errors.setdefault(self.name, [])
        if sentence not in said:
            said.append(sentence)

    def member(self, name: str, sentence: str = "") -> Place:
        """The place of an object's member."""
        full = f"{self.name}.{name}" if self.name else name
        return Place(full[:LONGEST_PLACE], self.errors, sentence)

    def item(self, index: int, sentence: str = "") -> Place:
        """The place of a list's item."""
        return Place(f"{self.name}[{index}]", self.errors, sentence)


class Kind(Protocol):
    """What a value can be."""

    def read(self, value: Any, place: Place) -> Any:
        """The value, whatever JSON made it; None where it is wrong, and that is said at `place`."""


@dataclass(frozen=True, slots=True)
class Member:
    """One row of a body's table.

    Attributes:
        name: the member's.
        kind: what its value can be, with its bounds.
        sentence: what the caller is told where it is not; empty leaves it to the kind.
        required: whether it must be there.
        missing: what the caller is told where it must and is not; empty for `sentence`.
    """

    name: str
    kind: Kind
    sentence: str = ""
    required: bool = False
    missing: str = ""

    def read(self, found: Mapping[str, Any], whole: Place) -> Any:
        """Its value in an object; None where it is left out or wrong."""
        value = found.get(self.name)
        place = whole.member(self.name, self.sentence)
        if value is not None:
            return self.kind.read(value, place)
        if self.required:
            place.say(self.missing or self.sentence or "This is required.")
        return None


class Body:
    """A request's body, read by its table.

    Args:
        value: what JSON made of it.
        members: the table.

    Raises:
        InvalidRequest: it is not an object.
    """

    def __init__(self, value: Any, members: Sequence[Member]) -> None:
        if not isinstance(value, dict):
            raise InvalidRequest.of("", "The body must be a JSON object.")
        self._written: dict[str, Any] = value
        self._values: dict[str, Any] = {}
        self._errors: dict[str, list[str]] = {}
        self._at_fault: set[str] = set()
        _refuse_unknown(value, members, Place("", self._errors))
        for member in members:
            errors: dict[str, list[str]] = {}
            self._values[member.name] = member.read(value, Place("", errors))
            if errors:
                self._at_fault.add(member.name)
                self._errors |= errors

    def __getitem__(self, name: str) -> Any:
        """A member's value; None where it is left out or wrong."""
        return self._values[name]

    def given(self, name: str) -> bool:
        """Whether the caller wrote the member, rightly or wrongly."""
        return self._written.get(name) is not None

    def sound(self, *names: str) -> bool:
        """Whether nothing was wrong with these members or in them."""
        return self._at_fault.isdisjoint(names)

    def wrong(self, member: str, sentence: str) -> None:
        """Say what is wrong with members that are right each for itself."""
        self._at_fault.add(member)
        Place(member, self._errors).say(sentence)

    def adopt(self, error: InvalidRequest) -> None:
        """Say what an error says."""
        for member, sentences in error.errors.items():
            for sentence in sentences:
                self.wrong(member, sentence)

    def finish(self) -> None:
        """Tell the caller everything that was wrong, if anything was.

        Raises:
            InvalidRequest: with every member at fault.
        """
        if self._errors:
            raise InvalidRequest(self._errors)


def _refuse_unknown(value: Mapping[str, Any], members: Sequence[Member], place: Place) -> None:
    for name in sorted(value.keys() - {member.name for member in members}):
        place.member(name).say(_UNKNOWN)


# Kinds ------------------------------------------------------------------------------------------


def is_text(value: Any) -> bool:
    """Whether it is a text that every encoding can keep."""
    return isinstance(value, str) and HALF_A_PAIR.search(value) is None


@dataclass(frozen=True, slots=True)
class Text:
    """A text.

    Attributes:
        least: characters.
        most: characters; None for a text that is only compared or has its bounds in its form.
        strip: leave out blanks around it, before it is measured.
        form: what all of it must be.
        without: what may stand nowhere in it.
        halves: half a surrogate pair may stand in it, because it is only compared and repeated.
    """

    least: int = 0
    most: int | None = None
    strip: bool = False
    form: re.Pattern[str] | None = None
    without: re.Pattern[str] | None = None
    halves: bool = False

    def read(self, value: Any, place: Place) -> str | None:
        """The text."""
        if not isinstance(value, str) or not (self.halves or is_text(value)):
            place.wrong(_NO_TEXT)
            return None
        text = value.strip() if self.strip else value
        if self.most is not None and len(text) > self.most:
            place.wrong(f"This has {len(text)} characters; at most {self.most} are read.")
        elif len(text) < self.least:
            place.wrong(f"This has {len(text)} characters; at least {self.least} are needed.")
        elif self.form is not None and not self.form.fullmatch(text):
            place.wrong("This text has another form than it must have.")
        elif self.without is not None and self.without.search(text):
            place.wrong("This text has a character that cannot stand in it.")
        else:
            return text
        return None


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number from `low` to `high`, written without a point."""

    low: int
    high: int

    def read(self, value: Any, place: Place) -> int | None:
        """The number."""
        is_number = isinstance(value, int) and not isinstance(value, bool)
        if is_number and self.low <= value <= self.high:
            return int(value)
        place.wrong(f"This is a whole number from {self.low} to {self.high}.")
        return None


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false."""

    def read(self, value: Any, place: Place) -> bool | None:
        """The flag."""
        if isinstance(value, bool):
            return value
        place.wrong("This is true or false.")
        return None


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of some texts."""

    names: tuple[str, ...]

    def read(self, value: Any, place: Place) -> str | None:
        """The text."""
        if isinstance(value, str) and value in self.names:
            return value
        place.wrong(f"This is one of {', '.join(self.names)}.")
        return None


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list.

    Attributes:
        kind: of its items.
        least: items.
        most: items.
        each: what the caller is told of an item that is not of that kind; empty leaves it to the
            kind.
        too_many: what the caller is told of a list that is too long; empty for the table's.
    """

    kind: Kind
    least: int
    most: int
    each: str = ""
    too_many: str = ""

    def read(self, value: Any, place: Place) -> list[Any] | None:
        """The items, None in place of each that is wrong."""
        own = f"This is a list of {self.least} to {self.most}."
        if not isinstance(value, list) or len(value) < self.least:
            place.wrong(own)
            return None
        if len(value) > self.most:
            place.say(self.too_many or place.sentence or own)
            return None
        return [
            self.kind.read(item, place.item(index, self.each)) for index, item in enumerate(value)
        ]


@dataclass(frozen=True, slots=True)
class Object:
    """An object with a table of its own."""

    members: tuple[Member, ...]

    def read(self, value: Any, place: Place) -> dict[str, Any] | None:
        """The members' values; None in place of each that is left out or wrong."""
        if not isinstance(value, dict):
            place.wrong("This must be an object.")
            return None
        _refuse_unknown(value, self.members, place)
        return {member.name: member.read(value, place) for member in self.members}


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a function makes of a value; the function raises `ValueError` for what it cannot read.

    Attributes:
        parse: the function. What its error says, without a full stop, is told the caller where the
            table has no sentence.
        of: what it can be given at all.
    """

    parse: Callable[[Any], Any]
    of: type = object

    def read(self, value: Any, place: Place) -> Any:
        """What the function made of it."""
        if not isinstance(value, self.of):
            place.wrong(_NO_TEXT if self.of is str else "This is of another kind.")
            return None
        try:
            return self.parse(value)
        except ValueError as error:
            place.wrong(f"{error}.")
            return None


@dataclass(frozen=True, slots=True)
class Checked:
    """What a function has nothing against: it has a sentence for each thing that is wrong."""

    problems: Callable[[Any], Sequence[str]]

    def read(self, value: Any, place: Place) -> Any:
        """The value as it is."""
        problems = self.problems(value)
        for problem in problems:
            place.say(problem)
        return None if problems else value


@dataclass(frozen=True, slots=True)
class Unsupported:
    """What ACS knows and Parley refuses, for the reason that the table's sentence gives."""

    def read(self, _: Any, place: Place) -> None:
        """Nothing."""
        place.wrong("This is not supported.")
