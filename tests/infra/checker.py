"""A small checker for Bicep, for want of a compiler on the machines that run the tests.

It holds each resource against `properties.json`: the names of the properties that the templates
use, what each takes (`string`, `int`, `bool`, or a list of allowed words), and which are required
(`!`). `[]` stands for the items of a list, `*` for any name. And it follows names: every symbol,
every parameter of a module and every output of one must be declared where it is looked for.

It knows less than the compiler, which the deployment workflow runs: a property that is right but
not in the file is refused here until somebody has looked it up.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

from pycep.models import BicepElement

from tests.infra.bicep import Node, body, expression, interpolated, template

_FACTS: Final = Path(__file__).parent / "properties.json"
# What every resource may say beside its own properties.
_OF_BICEP: Final = frozenset({"parent", "scope", "dependsOn"})
_TYPES: Final[Mapping[str, type]] = {"string": str, "int": int, "bool": bool}
# Symbols that Bicep brings itself.
_BUILT_IN: Final = frozenset({"true", "false", "null"})


@cache
def facts() -> dict[str, Any]:
    """The known properties by `type@version`."""
    known: dict[str, Any] = json.loads(_FACTS.read_text(encoding="utf-8"))
    return known


def check(
    parsed: Mapping[str, Any], modules: Callable[[str], Mapping[str, Any]] = template
) -> list[str]:
    """What is wrong with a template; empty if nothing that this checker knows of.

    Args:
        parsed: the template.
        modules: gives the module at a path, as `parsed` has it.
    """
    return [
        *_properties(parsed),
        *_Symbols(parsed, modules).problems(),
        *_module_parameters(parsed, modules),
    ]


# ---- Properties


def _properties(parsed: Mapping[str, Any]) -> Iterator[str]:
    for symbol, resource in parsed.get("resources", {}).items():
        key = f"{resource['type']}@{resource['api_version']}"
        if key not in facts():
            yield f"{symbol}: the type {key} is unknown"
        elif not resource["existing"]:
            own = {name: value for name, value in body(resource).items() if name not in _OF_BICEP}
            for bound in _each_turn(parsed, resource["config"]):
                yield from _held(parsed, symbol, own, facts()[key], bound)


def _each_turn(parsed: Mapping[str, Any], config: Mapping[str, Any]) -> list[dict[str, Any]]:
    # A loop over a list that the template spells out is checked with every item of it.
    if "loop_type" not in config:
        return [{}]
    detail = config["loop_type"]["detail"]
    items = parsed.get("variables", {}).get(str(detail["array_name"]), {}).get("value", [])
    return [{str(detail["item_name"]): item} for item in items] or [{}]


def _known(parsed: Mapping[str, Any], node: Node, bound: Mapping[str, Any]) -> list[Node]:
    """The values that an expression can have, as far as they can be read off the template."""
    if isinstance(node, BicepElement):
        if node in bound:
            return [bound[node]]
        variable = parsed.get("variables", {}).get(str(node))
        return [node] if variable is None else _known(parsed, variable["value"], bound)
    if isinstance(node, dict) and list(node) == ["operator"]:
        return _of_operator(parsed, node, bound)
    if isinstance(node, dict) and list(node) == ["function"]:
        parameters = list(node["function"].get("parameters", {}).values())
        if node["function"]["type"] == "filter":
            return _known(parsed, parameters[0], bound)
    return [node]


def _of_operator(parsed: Mapping[str, Any], node: Node, bound: Mapping[str, Any]) -> list[Node]:
    operands = node["operator"]["operands"]
    if node["operator"]["type"] == "conditional":
        branches = (operands["true_value"], operands["false_value"])
        return [value for branch in branches for value in _known(parsed, branch, bound)]
    if node["operator"]["type"] == "property_accessor":
        first, name = operands["operand_1"], operands["operand_2"]
        item = bound.get(first) if isinstance(first, str) else None
        if isinstance(name, BicepElement) and isinstance(item, dict):
            return _known(parsed, item[name], {}) if name in item else [None]
    return [node]


def _is_open(node: Node) -> bool:
    """Whether a value is only known in Azure."""
    return (
        node is None
        or isinstance(node, BicepElement)
        or (isinstance(node, dict) and list(node) in (["operator"], ["function"]))
    )


def _held(
    parsed: Mapping[str, Any], where: str, node: Node, fact: Any, bound: Mapping[str, Any]
) -> Iterator[str]:
    for value in _known(parsed, node, bound):
        if _is_open(value):
            yield from _declared_type(parsed, where, value, fact)
        elif isinstance(fact, dict) and "[]" in fact:
            if not isinstance(value, list):
                yield f"{where}: must be a list"
                continue
            for index, item in enumerate(value):
                yield from _held(parsed, f"{where}[{index}]", item, fact["[]"], bound)
        elif isinstance(fact, dict):
            yield from _object(parsed, where, value, fact, bound)
        else:
            yield from _leaf(where, value, fact)


def _declared_type(parsed: Mapping[str, Any], where: str, value: Node, fact: Any) -> Iterator[str]:
    parameter = parsed.get("parameters", {}).get(str(value), {}).get("type")
    wanted = "string" if isinstance(fact, list) else fact
    if isinstance(fact, dict):
        wanted = "list" if "[]" in fact else "object"
    if parameter in _TYPES and parameter != wanted:
        yield f"{where}: the parameter {value} is no {wanted}"


def _object(
    parsed: Mapping[str, Any], where: str, value: Node, fact: Any, bound: Mapping[str, Any]
) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{where}: must be an object"
        return
    required = {name[:-1] for name in fact if name.endswith("!")}
    known = {name.rstrip("!"): inner for name, inner in fact.items()}
    given = {str(name).strip("'"): inner for name, inner in value.items()}
    for name in sorted(required - given.keys()):
        yield f"{where}: {name} is missing"
    for name, inner in given.items():
        if name in known:
            yield from _held(parsed, f"{where}.{name}", inner, known[name], bound)
        elif "*" in known:
            yield from _held(parsed, f"{where}.{name}", inner, known["*"], bound)
        else:
            yield f"{where}: there is no property {name}"


def _leaf(where: str, value: Node, fact: Any) -> Iterator[str]:
    if isinstance(fact, list):
        # A word put together in Azure cannot be compared here.
        if value not in fact and not (isinstance(value, str) and interpolated(value)):
            yield f"{where}: {value!r} is none of {', '.join(fact)}"
    elif type(value) is not _TYPES[fact]:
        yield f"{where}: {value!r} is no {fact}"


# ---- Names


def _module_parameters(
    parsed: Mapping[str, Any], modules: Callable[[str], Mapping[str, Any]]
) -> Iterator[str]:
    for symbol, module in parsed.get("modules", {}).items():
        declared = modules(module["detail"]["path"]).get("parameters", {})
        given = body(module).get("params", {}).keys()
        for name in sorted(given - declared.keys()):
            yield f"{symbol}: {module['detail']['path']} has no parameter {name}"
        for name, parameter in declared.items():
            if name not in given and parameter.get("default") is None:
                yield f"{symbol}: {module['detail']['path']} wants the parameter {name}"


@dataclass
class _Symbols:
    """Follows every name to its declaration."""

    parsed: Mapping[str, Any]
    modules: Callable[[str], Mapping[str, Any]]
    used: set[str] = field(default_factory=set)
    found: list[str] = field(default_factory=list)

    def problems(self) -> list[str]:
        for kind in ("parameters", "variables", "outputs"):
            for name, declared in self.parsed.get(kind, {}).items():
                self._node(name, declared.get("default", declared.get("value")), set())
        for kind in ("resources", "modules"):
            for name, declared in self.parsed.get(kind, {}).items():
                self._declaration(name, declared["config"])
        for name, declared in self.parsed.get("functions", {}).items():
            self._node(name, declared["expression"], set(declared["args"]))
        for kind in ("parameters", "variables"):
            for name in self.parsed.get(kind, {}):
                if name not in self.used:
                    self.found.append(f"{name}: is declared and never used")
        return self.found

    def _declared(self, name: str) -> bool:
        kinds = ("parameters", "variables", "resources", "modules")
        return name in _BUILT_IN or any(name in self.parsed.get(kind, {}) for kind in kinds)

    def _declaration(self, where: str, config: Mapping[str, Any]) -> None:
        local: set[str] = set()
        inner: Any = config
        while isinstance(inner, dict) and "config" in inner:
            if inner.get("condition") is not None:
                self._node(where, inner["condition"], local)
            if "loop_type" in inner:
                detail = inner["loop_type"]["detail"]
                self._node(where, detail["array_name"], local)
                local |= {str(detail[key]) for key in ("item_name", "index_name") if key in detail}
            inner = inner["config"]
        self._node(where, inner, local)

    def _node(self, where: str, node: Node, local: set[str]) -> None:
        if isinstance(node, BicepElement):
            self._name(where, str(node), local)
        elif isinstance(node, str):
            for inner in interpolated(node):
                self._node(where, expression(inner), local)
        elif isinstance(node, list):
            for item in node:
                self._node(where, item, local)
        elif isinstance(node, dict):
            self._dict(where, node, local)

    def _dict(self, where: str, node: dict[str, Any], local: set[str]) -> None:
        if node.get("type") == "lambda_expression":
            detail = node["detail"]
            self._node(where, detail["expression"], local | {str(detail["var_1"])})
        elif list(node) == ["operator"] and node["operator"]["type"] == "property_accessor":
            first, second = node["operator"]["operands"].values()
            self._node(where, first, local)
            self._output(where, first, second)
            self._after_dot(where, second, local)
        else:
            for name, value in node.items():
                self._node(where, str(name).strip("'") if "$" in str(name) else None, local)
                self._node(where, value, local)

    def _after_dot(self, where: str, node: Node, local: set[str]) -> None:
        # The parser hangs all that follows under the dot: its first word is a property's name, and
        # what comes after an operator are names again.
        if isinstance(node, dict) and list(node) == ["operator"]:
            first, *rest = node["operator"]["operands"].values()
            self._after_dot(where, first, local)
            for operand in rest:
                if node["operator"]["type"] == "property_accessor":
                    self._after_dot(where, operand, local)
                else:
                    self._node(where, operand, local)

    def _output(self, where: str, first: Node, second: Node) -> None:
        module = self.parsed.get("modules", {}).get(str(first))
        if module is None:
            return
        outputs = self.modules(module["detail"]["path"]).get("outputs", {})
        operands = second["operator"]["operands"] if isinstance(second, dict) else {}
        member, name = operands.get("operand_1"), operands.get("operand_2")
        if member != "outputs" or name not in outputs:
            self.found.append(f"{where}: {first} has no output {name}")

    def _name(self, where: str, name: str, local: set[str]) -> None:
        self.used.add(name)
        if name not in local and not self._declared(name):
            self.found.append(f"{where}: nothing is called {name}")
