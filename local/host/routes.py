"""Routes as ASP.NET Core understands them, as far as function apps use them.

A template is a path of literals, parameters (`{id}`, `{id:int}`, `{id?}`, `{id=all}`), mixtures
(`optouts:{operation}`) and, last, a catch-all (`{*rest}`). Literals match in any case and win over
parameters. What the table does not know, it refuses when the app is loaded, never later.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from itertools import groupby
from typing import Final, Generic, TypeVar
from urllib.parse import unquote

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
_ENCODED_SLASH: Final = re.compile("%2[fF]")


class _Rank(IntEnum):
    """How specific a segment is; the lower wins."""

    LITERAL = 1
    CONSTRAINED = 2
    MIXED = 3
    PARAMETER = 4
    CATCH_ALL = 5


@dataclass(frozen=True, slots=True)
class _Segment:
    rank: _Rank
    pattern: re.Pattern[str]
    names: tuple[str, ...]
    shape: str


@dataclass(frozen=True, slots=True)
class _Route(Generic[_T]):
    segments: tuple[_Segment, ...]
    defaults: Mapping[str, str]
    methods: frozenset[str] | None
    target: _T

    @property
    def order(self) -> tuple[_Rank, ...]:
        return tuple(segment.rank for segment in self.segments)

    @property
    def shape(self) -> str:
        return "/".join(segment.shape for segment in self.segments)

    @property
    def open_ended(self) -> bool:
        return bool(self.segments) and self.segments[-1].rank is _Rank.CATCH_ALL

    def takes(self, method: str) -> bool:
        return self.methods is None or method in self.methods

    def parameters(self, path: list[str]) -> dict[str, str] | None:
        values = dict(self.defaults)
        for index, segment in enumerate(self.segments):
            catch_all = segment.rank is _Rank.CATCH_ALL
            text = "/".join(path[index:]) if catch_all else path[index]
            match = segment.pattern.fullmatch(text)
            if match is None:
                return None
            values.update(zip(segment.names, match.groups(), strict=True))
        return values


class RouteTable(Generic[_T]):
    """Finds what serves a method and a path."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix.strip("/")
        self._literal: dict[str, list[_Route[_T]]] = {}
        self._by_length: dict[int, list[_Route[_T]]] = {}
        self._open_ended: list[_Route[_T]] = []

    def add(self, template: str, methods: frozenset[str] | None, target: _T) -> None:
        """Make a template known; `methods` None takes every method.

        Raises:
            ValueError: the template is malformed, empty, reserved for the host, or already taken.
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
        path = _decode(raw_path)
        if path is None:
            return None
        for route in self._literal.get("/".join(path).lower(), ()):
            if route.takes(method):
                return route.target, dict(route.defaults)
        for candidates in (self._by_length.get(len(path), ()), self._open_ended):
            for route in candidates:
                if not route.takes(method) or len(path) < len(route.segments) - route.open_ended:
                    continue
                values = route.parameters(path)
                if values is not None:
                    return route.target, values
        return None

    def _insert(self, route: _Route[_T]) -> None:
        if all(rank is _Rank.LITERAL for rank in route.order):
            rivals = self._literal.setdefault(route.shape, [])
        elif route.open_ended:
            rivals = self._open_ended
        else:
            rivals = self._by_length.setdefault(len(route.segments), [])
        for rival in rivals:
            if rival.shape == route.shape and _overlap(rival.methods, route.methods):
                raise ValueError(f"/{route.shape} is already served for the same method")
        rivals.append(route)
        rivals.sort(key=lambda known: known.order)


def _overlap(one: frozenset[str] | None, other: frozenset[str] | None) -> bool:
    return one is None or other is None or bool(one & other)


def _keep_encoded(slash: re.Match[str]) -> str:
    return "%25" + slash[0][1:]


def _decode(raw_path: str) -> list[str] | None:
    path = raw_path.removeprefix("/")
    segments = path.removesuffix("/").split("/")
    if "%" in path:
        # The real server leaves an encoded slash encoded: it separates no segments.
        segments = [unquote(_ENCODED_SLASH.sub(_keep_encoded, part)) for part in segments]
    if "" in segments or "." in segments or ".." in segments:
        return None
    return segments


def _expand(full: str, methods: frozenset[str] | None, target: _T) -> list[_Route[_T]]:
    texts = full.split("/")
    segments = [_segment(text, last=index == len(texts) - 1) for index, text in enumerate(texts)]
    names = [name.lower() for segment in segments for name in segment.names]
    if repeated := [name for name, group in groupby(sorted(names)) if len(list(group)) > 1]:
        raise ValueError(f"/{full}: parameter {repeated[0]!r} is used twice")
    routes = [_Route(tuple(segments), {}, methods, target)]
    last = _PARAMETER.fullmatch(texts[-1])
    if last is not None and (last["optional"] or last["default"] is not None):
        defaults = {} if last["default"] is None else {last["name"]: last["default"]}
        if len(segments) == 1:
            raise ValueError(f"/{full}: an empty route cannot be had")
        routes.append(_Route(tuple(segments[:-1]), defaults, methods, target))
    return routes


def _segment(text: str, *, last: bool) -> _Segment:
    parameters = list(_PARAMETER.finditer(text))
    literals = _PARAMETER.split(text)[:: _PARAMETER.groups + 1]
    if not text or any("{" in part or "}" in part for part in literals):
        raise ValueError(f"segment {text!r} is not a template that this host understands")
    if not parameters:
        return _Segment(_Rank.LITERAL, re.compile(re.escape(text), re.IGNORECASE), (), text.lower())
    alone = len(parameters) == 1 and not any(literals)
    if not (alone and last) and any(
        found["all"] or found["optional"] or found["default"] is not None for found in parameters
    ):
        raise ValueError(f"segment {text!r}: only a whole last segment may be optional or open")
    pattern, shape = re.escape(literals[0]), literals[0].lower()
    for found, literal in zip(parameters, literals[1:], strict=True):
        value = ".*" if found["all"] else _value_pattern(found["constraints"], lazy=not alone)
        pattern += f"({value}){re.escape(literal)}"
        shape += f"{{{found['all']}{found['constraints'].lower()}}}{literal.lower()}"
    return _Segment(
        _rank(parameters[0], alone=alone),
        re.compile(pattern, re.IGNORECASE | re.DOTALL),
        tuple(found["name"] for found in parameters),
        shape,
    )


def _rank(parameter: re.Match[str], *, alone: bool) -> _Rank:
    if parameter["all"]:
        return _Rank.CATCH_ALL
    if not alone:
        return _Rank.MIXED
    return _Rank.CONSTRAINED if parameter["constraints"] else _Rank.PARAMETER


def _value_pattern(constraints: str, *, lazy: bool) -> str:
    patterns = [_constraint_pattern(*found.groups()) for found in _CONSTRAINT.finditer(constraints)]
    if not patterns:
        return ".+?" if lazy else ".+"
    if lazy and len(patterns) > 1:
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
