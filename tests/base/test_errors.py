"""The tree of errors that `shared/base/errors.py` draws."""

import importlib
import pkgutil
import re
from collections.abc import Iterator

import shared
from shared.base import errors
from shared.base.errors import ParleyError

LINE = re.compile(
    r"^    (?P<indent>[│├└─ ]*)(?P<name>[A-Z]\w+)(?: +(?P<said>\S.*))?$", re.MULTILINE
)
STATUS = re.compile(r"(\d{3})\b")


def subclasses(of: type[ParleyError]) -> Iterator[type[ParleyError]]:
    """All classes below one that other modules may name."""
    for kind in of.__subclasses__():
        if not kind.__name__.startswith("_") and kind.__module__.startswith("shared."):
            yield kind
            yield from subclasses(kind)


def drawn() -> dict[str, tuple[str | None, str]]:
    """The tree in the docstring: each error's parent, and what is said of it."""
    found: dict[str, tuple[str | None, str]] = {}
    path: list[str] = []
    for line in LINE.finditer(errors.__doc__ or ""):
        depth = len(line["indent"]) // 4
        path[depth:] = [line["name"]]
        found[line["name"]] = (path[depth - 1] if depth else None, line["said"] or "")
    return found


def test_the_tree_draws_every_error_below_the_class_it_derives_from() -> None:
    """Whoever reads the docstring knows all errors of `shared/`, wherever they are defined."""
    for module in pkgutil.walk_packages(shared.__path__, "shared."):
        importlib.import_module(module.name)
    real = {kind.__name__: kind.__bases__[0].__name__ for kind in subclasses(ParleyError)}
    assert {name: parent for name, (parent, _) in drawn().items() if parent is not None} == real


def test_the_tree_says_the_status_that_the_class_has() -> None:
    """A status beside an error is the one that its callers are answered with."""
    kinds = {kind.__name__: kind for kind in subclasses(ParleyError)}
    told = {name: STATUS.match(said) for name, (_, said) in drawn().items()}
    assert {name: int(status[1]) for name, status in told.items() if status} == {
        name: kinds[name].status for name, status in told.items() if status
    }
