"""Texts with `{placeholders}`, filled from a recipient's fields.

Somebody without a value for a placeholder gets no text, rather than one with a hole in it. What is
filled in is never read again: braces in a value stay braces. Errors say which placeholder is at
fault and never repeat a value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from shared.campaigns.list_format import NOT_TEXT, same_name
from shared.rules.invisible import bare
from shared.rules.text_placeholders import leftovers, plain_name

_BRACE: Final = re.compile(r"\{\{|\}\}|[{}]")
_LONGEST_NAME: Final = 100
# C0 and C1 controls with line feed and tab, the two separators that act like a line feed, and
# halves of surrogate pairs, which no encoding can send.
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


# What Excel, LibreOffice and Sheets write where a formula failed; German, French and Spanish too.
ERROR_VALUES: Final = frozenset(
    {
        "#N/A", "#REF!", "#NAME?", "#VALUE!", "#DIV/0!", "#NULL!", "#NUM!", "#SPILL!", "#CALC!",
        "#GETTING_DATA", "#FIELD!", "#BLOCKED!", "#CONNECT!", "#UNKNOWN!", "#ERROR!",
        "#NV", "#BEZUG!", "#WERT!", "#ZAHL!", "#VALEUR!", "#NOM?", "#NOMBRE?", "#VALOR!", "#NOME?",
    }
)  # fmt: skip
# What programs write where they have nothing, caseless.
NOTHINGS: Final = frozenset(
    {
        "null", "none", "nil", "n/a", "na", "n.a.", "nan", "nat", "undefined", "(null)", "<null>",
        "[null]", "(blank)", "(empty)", "(none)", "\\n", "-", "--", "\u2014", "\u2013", "?", ".",
        "tbd", "unknown", "not available", "[object object]",
    }
)  # fmt: skip
_LONGEST_NOTHING: Final = 20
_FORMULA_SIGNS: Final = frozenset("=+-@\t\r")
_TEXT_FORMULA: Final = re.compile(r'="((?:[^"]|"")*)"')


class BadTemplate(ValueError):
    """A text whose braces do not make sense; `str(error)` is a sentence for its author.

    Attributes:
        position: of the brace at fault, counted in characters from 1.
    """

    def __init__(self, position: int, reason: str) -> None:
        self.position = position
        super().__init__(f"Character {position}: {reason}")


class CannotFill(ValueError):
    """One recipient's fields do not fit the template; `str(error)` is the reason.

    Attributes:
        name: the placeholder, as its author wrote it.
    """

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        super().__init__(reason)


class MissingValue(CannotFill):
    """A placeholder has no value, or a blank one."""

    def __init__(self, name: str) -> None:
        super().__init__(name, f"There is no value for {{{name}}}.")


class BadValue(CannotFill):
    """A placeholder's value holds control characters, or two fields claim to be it."""


@dataclass(frozen=True, slots=True)
class Placeholder:
    """A place to fill: its name as written but trimmed, and the form in which it is compared."""

    name: str
    key: str


@dataclass(frozen=True, slots=True)
class Template:
    """A text that has been understood.

    Attributes:
        parts: literal texts and placeholders, in order.
    """

    parts: tuple[str | Placeholder, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The placeholders' names, each once, in the order of the text."""
        found = {part.key: part.name for part in reversed(self.placeholders)}
        return tuple(dict.fromkeys(found[part.key] for part in self.placeholders))

    def missing_from(self, columns: Iterable[str]) -> tuple[str, ...]:
        """The names that no column has, so that nobody could be sent the text."""
        known = {same_name(column) for column in columns}
        return tuple(name for name in self.names if same_name(name) not in known)

    def for_columns(self, columns: Iterable[str]) -> Template:
        """The same with names spelled as the columns are, which fills a long list faster."""
        spelled = {same_name(column): column for column in columns}
        return Template(
            tuple(
                Placeholder(spelled.get(part.key, part.name), part.key)
                if isinstance(part, Placeholder)
                else part
                for part in self.parts
            )
        )

    @property
    def placeholders(self) -> list[Placeholder]:
        """Each place to fill, in the order of the text."""
        return [part for part in self.parts if isinstance(part, Placeholder)]


def parse(text: str) -> Template:
    """The template that a text is: `{name}` is a placeholder, `{{` and `}}` are braces.

    Names are compared trimmed and caseless, and may hold spaces.

    Raises:
        BadTemplate: a brace without its other half, a brace within a name, an empty name, a name
            over 100 characters or with control characters.
    """
    parts: list[str | Placeholder] = []
    literal: list[str] = []
    at = 0
    while (brace := _BRACE.search(text, at)) is not None:
        literal.append(text[at : brace.start()])
        at = brace.end()
        if brace[0] == "}":
            raise BadTemplate(
                brace.start() + 1, "} closes nothing. Write }} where the text needs a brace."
            )
        if brace[0] == "{":
            end = text.find("}", at)
            parts += ["".join(literal), _placeholder(text, at, end)]
            literal, at = [], end + 1
        else:
            literal.append(brace[0][0])
    parts.append("".join((*literal, text[at:])))
    return Template(tuple(part for part in parts if part != ""))


def doubled_braces(text: str, columns: Iterable[str]) -> str | None:
    """Why a text with `{{name}}` is refused where `name` is a column; None if it holds none.

    Doubled braces are braces here and placeholders in many other programs: whoever writes a column
    between them means the value. Filters and paths are left out: `{{ user.name | upper }}`.
    """
    known = {plain_name(column): column for column in columns}
    for found in leftovers(text, columns=()):
        # Three are a brace and a placeholder in it, as two and one should be.
        doubled = found.braces and not found.written.startswith("{{{")
        if doubled and (column := known.get(plain_name(found.name))) is not None:
            return (
                f"Character {found.position + 1}: {found.written} would be sent as it stands; write"
                f" {{{column}}}."
            )
    return None


def _placeholder(text: str, start: int, end: int) -> Placeholder:
    position = start  # of the opening brace, from 1
    name = text[start:end].strip()
    if end < 0:
        reason = "{ is never closed. Write {{ where the text needs a brace."
    elif "{" in name:
        reason = "{ is opened again before it is closed."
    elif not name:
        reason = "{} holds no name. Write {{}} where the text needs braces."
    elif len(name) > _LONGEST_NAME:
        reason = f"the name is longer than {_LONGEST_NAME} characters; is a }} missing?"
    elif _CONTROL.search(name):
        reason = "the name holds a line feed or another control character; is a } missing?"
    else:
        return Placeholder(name, same_name(name))
    raise BadTemplate(position, reason)


def fill(template: Template, fields: Mapping[str, str]) -> str:
    """The text for one recipient.

    Args:
        template: from `parse`.
        fields: by the names of the list's columns; compared trimmed and caseless. Values go in
            trimmed, and without the apostrophe by which a spreadsheet marks what is no formula.

    Raises:
        MissingValue: a placeholder has no value, or nothing but white space.
        BadValue: a value holds control characters (a line feed is one) or a spreadsheet's error,
            is neither a text nor a number, or two fields have the placeholder's name.
    """
    return "".join(
        part if isinstance(part, str) else _value(part, fields) for part in template.parts
    )


def _value(placeholder: Placeholder, fields: Mapping[str, str]) -> str:
    value = fields.get(placeholder.name)
    if value is None:
        value = _by_key(placeholder, fields)
    if value is NOT_TEXT:
        raise BadValue(
            placeholder.name, f"The value of {{{placeholder.name}}} is neither a text nor a number."
        )
    if not (value.isascii() and value.isalpha()):
        value = _unguarded(bare(value))
    if not value:
        raise MissingValue(placeholder.name)
    if _CONTROL.search(value):
        raise BadValue(
            placeholder.name,
            f"The value of {{{placeholder.name}}} holds a line feed or another control character.",
        )
    if value[0] == "#" and value in ERROR_VALUES:
        raise BadValue(
            placeholder.name, f"The value of {{{placeholder.name}}} is a spreadsheet's error."
        )
    return value


def _unguarded(value: str) -> str:
    """The value without what an export puts before a formula sign so that nothing is computed."""
    if value.startswith("'") and value[1:2] in _FORMULA_SIGNS:
        return value[1:].strip()
    formula = _TEXT_FORMULA.fullmatch(value) if value.startswith('="') else None
    return value if formula is None else formula[1].replace('""', '"').strip()


def doubtful_values(names: Iterable[str], fields: Mapping[str, str]) -> tuple[str, ...]:
    """Those of some columns whose value only says that there is none, such as NULL or N/A."""
    found: tuple[str, ...] = ()
    for name in names:
        value = fields.get(name, "")
        if len(value) <= _LONGEST_NOTHING and value.strip().casefold() in NOTHINGS:
            found = (*found, name)
    return found


def _by_key(placeholder: Placeholder, fields: Mapping[str, str]) -> str:
    found = [value for name, value in fields.items() if same_name(name) == placeholder.key]
    if len(found) > 1:
        raise BadValue(placeholder.name, f"Two fields are called {{{placeholder.name}}}.")
    return found[0] if found else ""
