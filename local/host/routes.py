"""Routes as the real host matches them: in the order they are added, the first one that fits.

A literal does not win over a parameter. So a route that an earlier one would hide is refused when
the app is loaded, where the real host would load it and never call its function.

A template is a path of literals, parameters (`{id}`, `{id:int}`, `{id?}`, `{id=all}`), mixtures
(`campaigns/{id}:pause`) and, last, a catch-all (`{*rest}`). Literals match in any case. What the
table does not know, it refuses when the app is loaded, never later.

Sources: `WebJobs.Extensions.Http/Routing/WebJobsRouter.cs` and `WebJobsRouteBuilder.cs` of
azure-webjobs-sdk-extensions (one collection, asked in order); `WebJobs.Script/Host/ScriptHost.cs`
of azure-functions-host (`ValidateHttpFunction`, `HttpRoutesConflict`: what is reserved and what is
taken); of aspnetcore, `Http/Routing/src/Patterns/RoutePatternMatcher.cs` (mixtures are read from
their right end), `Shared/UrlDecoder/UrlDecoder.cs` (escapes) and Kestrel's
`Internal/Http/PathNormalizer.cs` (dots).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from itertools import groupby
from typing import Final, Generic, TypeVar

_T = TypeVar("_T")
_PARAMETER: Final = re.compile(
    r"\{(?P<all>\*{0,2})(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"(?P<constraints>(?::[A-Za-z]+(?:\([^(){}]*\))?)*)(?P<optional>\?)?(?:=(?P<default>[^{}]*))?\}"
)
_CONSTRAINT: Final = re.compile(r":([A-Za-z]+)(?:\(([^(){}]*)\))?")
_PLAIN_CONSTRAINTS: Final = {
    "alpha": "[A-Za-z]+",
    "bool": "[Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee]",
    "guid": r"\{?[0-9A-Fa-f]{8}(?:-?[0-9A-Fa-f]{4}){3}-?[0-9A-Fa-f]{12}\}?",
    "int": "[+-]?[0-9]{1,10}",
    "long": "[+-]?[0-9]{1,19}",
    "required": ".+",
}
_LENGTHS: Final = {"length": "{{{0}}}", "minlength": "{{{0},}}", "maxlength": "{{1,{0}}}"}
_RESERVED: Final = ("admin", "runtime")
_ESCAPES: Final = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_ESCAPE: Final = 3
# The shape of a parameter that takes any text.
_ANYTHING: Final = "{}"


class _Kind(Enum):
    """What a segment of a template is."""

    LITERAL = auto()
    MIXED = auto()
    PARAMETER = auto()
    CATCH_ALL = auto()


@dataclass(frozen=True, slots=True)
class _Segment:
    """One segment; `begins` and `ends` are the literal text at its two ends, lower case."""

    kind: _Kind
    pattern: re.Pattern[str]
    names: tuple[str, ...]
    shape: str
    begins: str
    ends: str

    def meets(self, other: _Segment) -> bool:
        """Whether some text fits both; yes where it is not known."""
        for one, another in ((self, other), (other, self)):
            if one.kind is _Kind.LITERAL:
                return another.pattern.fullmatch(one.shape) is not None
        return _one_begins(self.begins, other.begins) and _one_begins(
            self.ends[::-1], other.ends[::-1]
        )

    def is_within(self, other: _Segment) -> bool:
        """Whether every text that fits this one fits the other; no where it is not known."""
        if other.shape in {self.shape, _ANYTHING}:
            return True
        return self.kind is _Kind.LITERAL and other.pattern.fullmatch(self.shape) is not None


def _one_begins(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)


@dataclass(frozen=True, slots=True)
class _Route(Generic[_T]):
    segments: tuple[_Segment, ...]
    defaults: Mapping[str, str]
    methods: frozenset[str] | None
    target: _T
    template: str

    @property
    def open_ended(self) -> bool:
        return self.segments[-1].kind is _Kind.CATCH_ALL

    @property
    def closed(self) -> tuple[_Segment, ...]:
        return self.segments[:-1] if self.open_ended else self.segments

    def takes(self, method: str, length: int) -> bool:
        """Whether a path of so many segments may be this route's."""
        if self.methods is not None and method not in self.methods:
            return False
        return length >= len(self.closed) if self.open_ended else length == len(self.segments)

    def parameters(self, path: list[str]) -> dict[str, str] | None:
        values = dict(self.defaults)
        for index, segment in enumerate(self.segments):
            catch_all = segment.kind is _Kind.CATCH_ALL
            text = "/".join(path[index:]) if catch_all else path[index]
            match = segment.pattern.fullmatch(text)
            if match is None:
                return None
            values.update(zip(segment.names, match.groups(), strict=True))
        return values

    def meets(self, other: _Route[_T]) -> bool:
        """Whether some request fits both; yes where it is not known."""
        lengths = len(self.closed), len(other.closed)
        if self.open_ended or other.open_ended:
            fits = (self.open_ended or lengths[0] >= lengths[1]) and (
                other.open_ended or lengths[1] >= lengths[0]
            )
        else:
            fits = lengths[0] == lengths[1]
        return (
            fits
            and _overlap(self.methods, other.methods)
            and all(one.meets(two) for one, two in zip(self.closed, other.closed, strict=False))
        )

    def is_within(self, other: _Route[_T]) -> bool:
        """Whether every path that fits this one fits the other; no where it is not known."""
        if other.open_ended:
            fits = len(self.closed) >= len(other.closed)
        else:
            fits = not self.open_ended and len(self.closed) == len(other.closed)
        return fits and all(
            one.is_within(two) for one, two in zip(self.closed, other.closed, strict=False)
        )


class RouteTable(Generic[_T]):
    """Finds what serves a method and a path."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix.strip("/")
        self._routes: list[_Route[_T]] = []

    def add(self, template: str, methods: frozenset[str] | None, target: _T) -> None:
        """Make a template known, behind all that are; `methods` None takes every method.

        An earlier route may take some of its requests only where it is the narrower of the two.

        Raises:
            ValueError: the template is malformed, empty, reserved for the host, already taken, or
                hidden by an earlier one.
        """
        bare = template.strip("/")
        if not bare:
            # The real host would serve it under the function's name, which nobody means.
            raise ValueError("an empty route cannot be had")
        # As the real host has it: by the first letters, and whatever the prefix.
        if bare.lower().startswith(_RESERVED):
            raise ValueError(f"/{bare}: what begins with admin or runtime belongs to the host")
        full = f"{self._prefix}/{bare}" if self._prefix else bare
        for route in _expand(full, methods, target):
            self._insert(route)

    def find(self, method: str, raw_path: str) -> tuple[_T, dict[str, str]] | None:
        """The target for a path as it was sent, with its decoded parameters."""
        segments = decoded(raw_path).removeprefix("/").removesuffix("/").split("/")
        if "" in segments:
            return None
        for route in self._routes:
            if route.takes(method, len(segments)):
                values = route.parameters(segments)
                if values is not None:
                    return route.target, values
        return None

    def _insert(self, route: _Route[_T]) -> None:
        for earlier in self._routes:
            if not earlier.meets(route):
                continue
            hides = route.is_within(earlier)
            if hides and earlier.is_within(route):
                raise ValueError(f"/{route.template} is already served for the same method")
            if hides or not earlier.is_within(route):
                raise ValueError(
                    f"/{route.template} is hidden by /{earlier.template}, whose function's name"
                    " comes first: the host takes the first route that fits"
                )
        self._routes.append(route)


def _overlap(one: frozenset[str] | None, other: frozenset[str] | None) -> bool:
    return one is None or other is None or bool(one & other)


def decoded(raw_path: str) -> str:
    """The path as the server hands it on: escapes read, dot segments resolved.

    An encoded slash stays encoded, and so does what is not UTF-8.
    """
    path = _ESCAPES.sub(_decoded_run, raw_path) if "%" in raw_path else raw_path
    if "/." not in path:
        return path
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            kept = kept[:-1]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in {".", ".."}:
        kept.append("")
    return "/" + "/".join(kept)


def _decoded_run(run: re.Match[str]) -> str:
    found, at = "", 0
    for character in bytes.fromhex(run[0].replace("%", "")).decode("utf-8", "surrogateescape"):
        kept = character == "/" or "\udc80" <= character <= "\udcff"
        length = _ESCAPE * (1 if kept else len(character.encode()))
        found += run[0][at : at + length] if kept else character
        at += length
    return found


def _expand(full: str, methods: frozenset[str] | None, target: _T) -> list[_Route[_T]]:
    texts = full.split("/")
    segments = [_segment(text, last=index == len(texts) - 1) for index, text in enumerate(texts)]
    names = [name.lower() for segment in segments for name in segment.names]
    if repeated := [name for name, group in groupby(sorted(names)) if len(list(group)) > 1]:
        raise ValueError(f"/{full}: parameter {repeated[0]!r} is used twice")
    routes = [_Route(tuple(segments), {}, methods, target, full)]
    last = _PARAMETER.fullmatch(texts[-1])
    if last is not None and (last["optional"] or last["default"] is not None):
        defaults = {} if last["default"] is None else {last["name"]: last["default"]}
        if len(segments) == 1:
            raise ValueError(f"/{full}: an empty route cannot be had")
        routes.append(_Route(tuple(segments[:-1]), defaults, methods, target, full))
    return routes


def _segment(text: str, *, last: bool) -> _Segment:
    parameters = list(_PARAMETER.finditer(text))
    literals = _PARAMETER.split(text)[:: _PARAMETER.groups + 1]
    if not text or any("{" in part or "}" in part for part in literals):
        raise ValueError(f"segment {text!r} is not a template that this host understands")
    begins, ends = literals[0].lower(), literals[-1].lower()
    if not parameters:
        pattern = re.compile(re.escape(text), re.IGNORECASE)
        return _Segment(_Kind.LITERAL, pattern, (), begins, begins, ends)
    alone = len(parameters) == 1 and not any(literals)
    if not (alone and last) and any(
        found["all"] or found["optional"] or found["default"] is not None for found in parameters
    ):
        raise ValueError(f"segment {text!r}: only a whole last segment may be optional or open")
    expression, shape = re.escape(literals[0]), begins
    for found, literal in zip(parameters, literals[1:], strict=True):
        # As long as can be: a mixture is read from its right end.
        value = ".*" if found["all"] else _value_pattern(found["constraints"], alone=alone)
        expression += f"({value}){re.escape(literal)}"
        shape += f"{{{found['all']}{found['constraints'].lower()}}}{literal.lower()}"
    return _Segment(
        _kind(parameters[0], alone=alone),
        re.compile(expression, re.IGNORECASE | re.DOTALL),
        tuple(found["name"] for found in parameters),
        shape,
        begins,
        ends,
    )


def _kind(parameter: re.Match[str], *, alone: bool) -> _Kind:
    if parameter["all"]:
        return _Kind.CATCH_ALL
    return _Kind.PARAMETER if alone else _Kind.MIXED


def _value_pattern(constraints: str, *, alone: bool) -> str:
    patterns = [_constraint_pattern(*found.groups()) for found in _CONSTRAINT.finditer(constraints)]
    if not patterns:
        return ".+"
    if not alone and len(patterns) > 1:
        raise ValueError(f"{constraints!r}: only a parameter that is a whole segment may have two")
    ahead = "".join(f"(?=(?:{pattern})$)" for pattern in patterns[1:])
    return f"{ahead}(?:{patterns[0]})"


def _constraint_pattern(name: str, argument: str | None) -> str:
    kind = name.lower()
    if argument is None and kind in _PLAIN_CONSTRAINTS:
        return _PLAIN_CONSTRAINTS[kind]
    if argument is not None and kind in _LENGTHS:
        numbers = [part.strip() for part in argument.split(",")]
        if all(number.isdecimal() for number in numbers) and (
            len(numbers) == 1 or (kind == "length" and len(numbers) == 2)  # noqa: PLR2004
        ):
            return "." + _LENGTHS[kind].format(",".join(numbers))
    raise ValueError(f"constraint {name!r} is not one that this host understands")
