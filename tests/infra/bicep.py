"""Reads Bicep, and computes its expressions, so that a template's own rules can be run in a test.

The parser knows no precedence: it hangs every operator's right side under it, as far as it goes.
`_tokens` takes such a chain apart again and `_Climber` puts it together by Bicep's precedence. The
parser drops parentheses too; a left operand that is an operator itself can only come from a pair
of them, while one at the right end cannot be told apart and so is not used in what is run here.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

from pycep import BicepParser
from pycep.models import BicepElement

INFRA: Final = Path(__file__).parent.parent.parent / "infra"
_INTERPOLATION: Final = re.compile(r"\$\{([^{}]*)\}")
_PARSER: Final = BicepParser()

Node = Any
Scope = Mapping[str, Any]


class Refused(Exception):
    """What `fail('...')` says."""


def parse(text: str) -> dict[str, Any]:
    """A template's declarations by kind and name, as the parser has them."""
    return dict(_PARSER.parse(text=text))


@cache
def template(name: str) -> dict[str, Any]:
    """A template of `infra/`, parsed once."""
    return parse((INFRA / name).read_text(encoding="utf-8"))


def templates() -> list[str]:
    """The names of all templates."""
    return sorted(path.relative_to(INFRA).as_posix() for path in INFRA.rglob("*.bicep"))


@cache
def expression(text: str) -> Node:
    """One expression, parsed."""
    return parse(f"var it = {text}\n")["variables"]["it"]["value"]


def interpolated(text: str) -> list[str]:
    """The expressions inside a string."""
    return _INTERPOLATION.findall(text)


def body(declaration: Mapping[str, Any]) -> dict[str, Any]:
    """A resource's or module's object, without its condition or loop."""
    config: Any = declaration["config"]
    while isinstance(config, dict) and "config" in config:
        config = config["config"]
    return {str(name).strip("'"): value for name, value in config.items()}


def condition(declaration: Mapping[str, Any]) -> Node:
    """What a resource or module is made under; None if it always is."""
    config: Any = declaration["config"]
    while isinstance(config, dict) and "config" in config:
        if config.get("condition") is not None:
            return config["condition"]
        config = config["config"]
    return None


def at(node: Node, *path: str) -> Node:
    """What stands at a path of an object, or None."""
    for name in path:
        if not isinstance(node, dict):
            return None
        node = node.get(name, node.get(f"'{name}'"))
    return node


def walk(node: Node) -> Iterator[Node]:
    """A node and all below it."""
    yield node
    if isinstance(node, dict):
        for value in node.values():
            yield from walk(value)
    elif isinstance(node, list):
        for value in node:
            yield from walk(value)


def decorated(declaration: Mapping[str, Any], name: str) -> Any:
    """The argument of a decorator; True for one without, None where it is not there."""
    for decorator in declaration.get("decorators", []):
        if decorator["type"] == name:
            return decorator.get("argument", True)
    return None


_BINARY: Final = {
    "coalesce": (1, lambda a, b: b if a is None else a),
    "or": (2, lambda a, b: a or b),
    "and": (3, lambda a, b: a and b),
    "equals": (4, lambda a, b: a == b),
    "not_equals": (4, lambda a, b: a != b),
    "less_than": (5, lambda a, b: a < b),
    "less_than_or_equals": (5, lambda a, b: a <= b),
    "greater_than": (5, lambda a, b: a > b),
    "greater_than_or_equals": (5, lambda a, b: a >= b),
    "add": (6, lambda a, b: a + b),
    "substract": (6, lambda a, b: a - b),
    "multiply": (7, lambda a, b: a * b),
}
_NOT: Final = 8


def _operator(node: Node) -> tuple[str, dict[str, Any]] | None:
    if isinstance(node, dict) and list(node) == ["operator"]:
        return node["operator"]["type"], node["operator"]["operands"]
    return None


def _tokens(node: Node) -> list[tuple[str, Any]]:
    found = _operator(node)
    if found is None:
        return [("operand", node)]
    kind, operands = found
    if kind == "not":
        return [("not", None), *_tokens(operands["bool_value"])]
    if kind == "conditional":
        return [
            ("operand", operands["condition"]),
            ("conditional", operands["true_value"]),
            *_tokens(operands["false_value"]),
        ]
    if kind == "index_accessor":
        return [("operand", operands["operand_1"]), ("index", operands["operand_2"])]
    first, *rest = operands.values()
    tokens = [("operand", first)]
    for operand in rest:
        tokens += [(kind, None), *_tokens(operand)]
    return tokens


@dataclass
class Template:
    """A template with its parameters filled in.

    Attributes:
        parsed: the declarations.
        parameters: values for the template's parameters; defaults stand for the others.
        azure: what only Azure knows, by the name of the function that asks for it.
    """

    parsed: Mapping[str, Any]
    parameters: Mapping[str, Any]
    azure: Mapping[str, Callable[..., Any]] = field(default_factory=dict)

    def variable(self, name: str) -> Any:
        """The value of a variable.

        Raises:
            Refused: the template refuses its parameters.
        """
        return self.value(self.parsed["variables"][name]["value"], {})

    def value(self, node: Node, scope: Scope) -> Any:
        """The value of any expression."""
        if _operator(node) is not None:
            return _Climber(self, _tokens(node), scope).everything()
        if isinstance(node, BicepElement):
            return self._named(str(node), scope)
        if isinstance(node, str):
            return _INTERPOLATION.sub(lambda it: str(self.value(expression(it[1]), scope)), node)
        if isinstance(node, list):
            return [self.value(item, scope) for item in node]
        if isinstance(node, dict):
            return self._composed(node, scope)
        return node

    def _composed(self, node: dict[str, Any], scope: Scope) -> Any:
        if list(node) == ["function"]:
            return self._called(node["function"], scope)
        return {str(name).strip("'"): self.value(item, scope) for name, item in node.items()}

    def _named(self, name: str, scope: Scope) -> Any:
        if name in scope:
            return scope[name]
        if name in {"true", "false", "null"}:
            return {"true": True, "false": False, "null": None}[name]
        if name in self.parsed.get("variables", {}):
            return self.variable(name)
        if name in self.parameters:
            return self.parameters[name]
        return self.value(self.parsed["parameters"][name]["default"], {})

    def _called(self, function: Mapping[str, Any], scope: Scope) -> Any:
        name = function["type"]
        given = [item for item in function.get("parameters", {}).values() if item is not None]
        if name in {"filter", "map"}:
            return self._each(name, given, scope)
        values = [self.value(item, scope) for item in given]
        if name in self.parsed.get("functions", {}):
            declared = self.parsed["functions"][name]
            return self.value(
                declared["expression"], dict(zip(declared["args"], values, strict=True))
            )
        if name in self.azure:
            return self.azure[name](*values)
        return _FUNCTIONS[name](*values)

    def _each(self, name: str, given: list[Node], scope: Scope) -> list[Any]:
        detail = given[1]["detail"]
        results = [
            (item, self.value(detail["expression"], {**scope, detail["var_1"]: item}))
            for item in self.value(given[0], scope)
        ]
        if name == "map":
            return [result for _, result in results]
        return [item for item, result in results if result]


@dataclass
class _Climber:
    """Precedence climbing over one chain. Only what is needed is computed, as Azure does."""

    template: Template
    tokens: list[tuple[str, Any]]
    scope: Scope
    position: int = 0

    def everything(self) -> Any:
        return self._conditional()()

    def _next(self) -> tuple[str, Any] | None:
        return self.tokens[self.position] if self.position < len(self.tokens) else None

    def _conditional(self) -> Callable[[], Any]:
        test = self._binary(0)
        token = self._next()
        if token is None or token[0] != "conditional":
            return test
        self.position += 1
        otherwise = self._conditional()
        return lambda: self.template.value(token[1], self.scope) if test() else otherwise()

    def _binary(self, lowest: int) -> Callable[[], Any]:
        left = self._unary()
        while (token := self._next()) is not None and token[0] in _BINARY:
            strength, compute = _BINARY[token[0]]
            if strength < lowest:
                break
            self.position += 1
            left = _joined(token[0], compute, left, self._binary(strength + 1))
        return left

    def _unary(self) -> Callable[[], Any]:
        kind, node = self.tokens[self.position]
        self.position += 1
        if kind == "not":
            negated = self._binary(_NOT)
            return lambda: not negated()
        result: Callable[[], Any] = lambda: self.template.value(node, self.scope)  # noqa: E731
        while (token := self._next()) is not None and token[0] in {"property_accessor", "index"}:
            self.position += 1
            if token[0] == "index":
                result = _indexed(result, self.template.value(token[1], self.scope))
            else:
                name = str(self.tokens[self.position][1])
                self.position += 1
                result = _member(result, name)
        return result


def _joined(
    kind: str, compute: Callable[[Any, Any], Any], left: Callable[[], Any], right: Callable[[], Any]
) -> Callable[[], Any]:
    def joined() -> Any:
        first = left()
        if (kind == "and" and not first) or (kind == "or" and first):
            return first
        if kind == "coalesce" and first is not None:
            return first
        return compute(first, right())

    return joined


def _indexed(whole: Callable[[], Any], key: Any) -> Callable[[], Any]:
    return lambda: whole()[key]


def _member(whole: Callable[[], Any], name: str) -> Callable[[], Any]:
    return lambda: whole().get(name)


def _fail(sentence: str) -> None:
    raise Refused(sentence)


def _unique(*arrays: Any) -> Any:
    if isinstance(arrays[0], dict):
        return {name: value for array in arrays for name, value in array.items()}
    return list(dict.fromkeys(item for array in arrays for item in array))


_FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "base64": lambda text: b64encode(text.encode()).decode(),
    "concat": lambda *arrays: [item for array in arrays for item in array],
    "contains": lambda whole, part: part in whole,
    "empty": lambda whole: not whole,
    "ends_with": lambda text, end: text.endswith(end),
    "fail": _fail,
    "join": lambda parts, by: by.join(parts),
    "length": len,
    "replace": lambda text, old, new: text.replace(old, new),
    "range": lambda start, count: list(range(start, start + count)),
    "skip": lambda whole, count: whole[count:],
    "split": lambda text, by: text.split(by),
    "starts_with": lambda text, start: text.startswith(start),
    "string": str,
    "substring": lambda text, start, count: text[start : start + count],
    "to_lower": lambda text: text.lower(),
    "trim": lambda text: text.strip(),
    "union": _unique,
}
