"""The files of the console: what is served, how, and what never stands in them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from functions.console import policy
from functions.console.files import FILES
from local.stack import Stack
from shared.rules.delivery_codes import CODES
from tests.support.client import Parley
from tools import uplot

DELIVERED = 2000
STATIC = Path(__file__).parents[2] / "functions" / "console" / "static"
OURS = sorted(path for path in STATIC.glob("*.js") if not path.name.startswith("uplot"))
_DANGEROUS = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|srcdoc|DOMParser|\beval\(|new Function"
    r"|createContextualFragment|javascript:|localStorage.*key"
)


def table(name: str) -> dict[str, str]:
    text = (STATIC / f"{name}.js").read_text(encoding="utf-8")
    return dict(re.findall(r'^ {2}"([^"]+)": (.+),$', text, re.MULTILINE))


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_text_is_never_markup(path: Path) -> None:
    """Nothing reads text as markup or as a script, so nothing that a stranger types can be one."""
    assert _DANGEROUS.findall(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("name", sorted(uplot.FILES))
@pytest.mark.timeout(0)  # the time that a registry takes is not ours
def test_charts_are_as_published(name: str) -> None:
    """The library that is shipped is the pinned one, unchanged, with its licence."""
    assert (STATIC / name).read_bytes() == uplot.published(name)


def test_both_languages_say_the_same() -> None:
    """English and Korean have the same sentences with the same blanks."""
    english, korean = table("en"), table("ko")
    assert english.keys() == korean.keys()
    blanks = {name: set(re.findall(r"\{(\w+)\}", text)) for name, text in english.items()}
    assert blanks == {n: set(re.findall(r"\{(\w+)\}", text)) for n, text in korean.items()}


def test_every_sentence_is_there() -> None:
    """What a script asks for by name is in the tables."""
    asked = {
        name
        for path in OURS
        for name in re.findall(r'\bt\(\s*"([^"]+)"', path.read_text(encoding="utf-8"))
    }
    assert asked - table("en").keys() == set()


def test_every_delivery_code_has_its_words() -> None:
    """The charts name each code that a text can fail with."""
    failures = {code for code in CODES if code != DELIVERED}
    assert {f"code.{code}" for code in failures} <= table("en").keys()


@pytest.mark.parametrize("name", ["", *sorted(FILES.keys() - {"index.html"})])
async def test_is_served_with_care(parley: Parley, stack: Stack, name: str) -> None:
    """Everything goes to everybody, under a policy that lets nothing else in, once."""
    target = f"/console/{name}" if name else "/console"
    plain = await parley.call("GET", target, headers={"accept-encoding": "identity"})
    assert plain.status == 200
    assert plain.body == (STATIC / (name or "index.html")).read_bytes()
    assert plain.headers["content-security-policy"] == policy((stack.platform,))
    assert plain.headers["x-content-type-options"] == "nosniff"
    assert plain.headers["referrer-policy"] == "no-referrer"
    again = await parley.call("GET", target, headers={"if-none-match": plain.headers["etag"]})
    assert (again.status, again.body) == (304, b"")


def test_the_policy_lets_nothing_else_in() -> None:
    """Only Parley's own scripts, styles and calls; no frame, no form, no base."""
    assert policy(()) == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    )
    assert policy(("https://a.b", "https://c.d")).endswith(
        "frame-ancestors https://a.b https://c.d"
    )


@pytest.mark.parametrize(
    ("accepted", "compressed"),
    [("gzip, br", True), ("GZIP;q=0.5", True), ("gzip;q=0", False), ("br", False), ("", False)],
)
def test_compression_is_asked_for(accepted: str, *, compressed: bool) -> None:
    """The answer is compressed for those who say that they can read it."""
    from functions.console import _takes_gzip  # noqa: PLC0415

    assert _takes_gzip(accepted) is compressed


@pytest.mark.parametrize("name", ["nothing.js", "index.html", "..%2F__init__.py", "__init__.py"])
async def test_nothing_else_is_served(parley: Parley, name: str) -> None:
    """A name that is not in the list is not there, whatever lies beside it."""
    assert (await parley.call("GET", f"/console/{name}")).status == 404


async def test_a_slash_at_the_end_is_taken_off(parley: Parley) -> None:
    """The page names its files relative to itself."""
    reply = await parley.call("GET", "/console/")
    assert (reply.status, reply.headers["location"]) == (308, "../console")
