"""Routes as the real host's router reads them."""

from __future__ import annotations

import pytest

from local.host.routes import RouteTable

GET = frozenset({"GET"})
POST = frozenset({"POST"})


def table(*templates: str, prefix: str = "") -> RouteTable[str]:
    routes: RouteTable[str] = RouteTable(prefix)
    for template in templates:
        routes.add(template, GET, template)
    return routes


@pytest.mark.parametrize(
    ("template", "path", "parameters"),
    [
        ("sms", "/sms", {}),
        ("sms", "/SMS/", {}),
        ("sms/{operation}", "/sms/optouts:add", {"operation": "optouts:add"}),
        ("sms/optouts:{verb}", "/sms/optouts:add", {"verb": "add"}),
        ("a/{b}", "/a/%2B1%20x%C3%A9", {"b": "+1 xé"}),
        ("a/{b}", "/a/x+y", {"b": "x+y"}),
        ("a/{b}", "/a/x%2Fy", {"b": "x%2Fy"}),
        ("a/{b}", "/a/%252F", {"b": "%2F"}),
        ("a/{b}", "/a/%c3%a9%C3%ff%zz", {"b": "é%C3%ff%zz"}),
        ("a/{b}", "/x/../a/./1", {"b": "1"}),
        ("a/{b}:pause", "/a/1:2%3Apause", {"b": "1:2"}),
        ("a/{b}:{c}", "/a/1:2:3", {"b": "1:2", "c": "3"}),
        ("a/{b}/{c}", "/a/1/2", {"b": "1", "c": "2"}),
        ("a/{b:int}", "/a/-12", {"b": "-12"}),
        ("a/{b:guid}", "/a/0f8fad5b-d9cb-469f-a165-70867728950e", {"b": None}),
        ("a/{b:alpha:length(3)}", "/a/abc", {"b": "abc"}),
        ("a/{b:maxlength(3)}", "/a/xyz", {"b": "xyz"}),
        ("a/{b?}", "/a", {}),
        ("a/{b?}", "/a/1", {"b": "1"}),
        ("a/{b=all}", "/a", {"b": "all"}),
        ("a/{*rest}", "/a", {"rest": ""}),
        ("a/{*rest}", "/a/b/c", {"rest": "b/c"}),
        ("{id}.json", "/7.json", {"id": "7"}),
    ],
)
def test_finds(template: str, path: str, parameters: dict[str, str | None]) -> None:
    """A path that fits a template yields its decoded parameters."""
    found = table(template).find("GET", path)
    assert found is not None
    if None in parameters.values():
        assert found[1].keys() == parameters.keys()
    else:
        assert found == (template, parameters)


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("sms", "/"),
        ("sms", "/sms/x"),
        ("sms", "//sms"),
        ("sms/{operation}", "/sms"),
        ("a/{b}", "/a//"),
        ("a/{b}", "/a/.."),
        ("a/{b}", "/a/%2e%2e"),
        ("a/{b}/c", "/a/1/d"),
        ("a/{b:int}", "/a/x1"),
        ("a/{b:alpha:length(3)}", "/a/ab1"),
        ("a/{b:maxlength(3)}", "/a/wxyz"),
        ("{id}.json", "/.json"),
        ("a/{b}:pause", "/a/:pause"),
        ("a/{b}:pause", "/a/1:pausing"),
    ],
)
def test_finds_nothing(template: str, path: str) -> None:
    """A path that does not fit is served by nobody."""
    assert table(template).find("GET", path) is None


def test_method_decides() -> None:
    """A route serves its own methods; another route of the same shape may serve the others."""
    routes = table("a/{b}")
    routes.add("a/{c}", POST, "post")
    assert routes.find("POST", "/a/1") == ("post", {"c": "1"})
    assert routes.find("GET", "/a/1") == ("a/{b}", {"b": "1"})
    assert routes.find("DELETE", "/a/1") is None


def test_the_first_that_fits_wins() -> None:
    """Routes are asked in the order they were added; one of few requests may come before others."""
    routes = table("a/new", "a/{number:int}", "a/{name}", "a/{*rest}")
    found = {
        path: hit[0]
        for path in ("new", "7", "other", "b/c")
        if (hit := routes.find("GET", f"/a/{path}")) is not None
    }
    assert found == {
        "new": "a/new",
        "7": "a/{number:int}",
        "other": "a/{name}",
        "b/c": "a/{*rest}",
    }


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("{operation}", "sms"),
        ("{operation}", "messages:preview"),
        ("a/{name}", "a/{number:int}"),
        ("a/{name}", "a/x{y}"),
        ("a/{name}:{operation}", "a/{name}:pause"),
        ("a/{*rest}", "a/b/c"),
        ("a/{*rest}", "a"),
        ("{*rest}", "a/{*rest}"),
        ("a/{b?}", "a"),
        ("a/{b}", "a/{c}"),
        ("{a}/x", "y/{b}"),
        ("x{a}", "{b}y"),
    ],
)
def test_a_hidden_route_is_refused(earlier: str, later: str) -> None:
    """The real host would load it and never call it, or not for all that it is there for."""
    routes = table(earlier)
    with pytest.raises(ValueError, match=r"is hidden by|already served"):
        routes.add(later, GET, "hidden")


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("a/{b}:pause", "a/{b}:resume"),
        ("{a}/x", "{b}/y"),
        ("x-{a}", "y-{b}"),
        ("a/{b}", "a/{b}/{c}"),
        ("a/b/{*rest}", "a"),
        ("messages", "messages:preview"),
    ],
)
def test_routes_that_share_no_request(earlier: str, later: str) -> None:
    """Such routes stand beside each other in either order."""
    table(earlier, later)
    table(later, earlier)


def test_a_literal_of_another_method_does_not_hide_a_parameter() -> None:
    """Two routes that share no method hide nothing of each other."""
    routes = table("a/{b}")
    routes.add("a/new", POST, "post")
    assert routes.find("GET", "/a/new") == ("a/{b}", {"b": "new"})


def test_prefix() -> None:
    """host.json's route prefix stands before every route."""
    routes = table("sms", prefix="api")
    assert routes.find("GET", "/api/sms") == ("sms", {})
    assert routes.find("GET", "/sms") is None


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("", "empty route"),
        ("/", "empty route"),
        ("{a?}", "empty route"),
        ("admin/x", "belongs to the host"),
        ("Administration", "belongs to the host"),
        ("Runtime", "belongs to the host"),
        ("a/{b}/{B}", "used twice"),
        ("a/{b", "template"),
        ("a//b", "template"),
        ("a/{b?}/c", "last segment"),
        ("a/{b:frob}", "constraint"),
        ("a/{b:length(x)}", "constraint"),
        ("taken/{x}", "already served"),
    ],
)
def test_refuses(template: str, reason: str) -> None:
    """A route that cannot be had is refused when the app is loaded."""
    routes = table("taken/{y}")
    with pytest.raises(ValueError, match=reason):
        routes.add(template, GET, "new")
