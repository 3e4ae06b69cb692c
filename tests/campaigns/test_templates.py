"""Texts with placeholders."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.campaigns.list_format import NOT_TEXT
from shared.campaigns.templates import (
    ERROR_VALUES,
    BadTemplate,
    BadValue,
    MissingValue,
    doubled_braces,
    doubtful_values,
    fill,
    parse,
)


@pytest.mark.parametrize(
    ("text", "fields", "filled"),
    [
        ("Hello {name}!", {"name": "Ann"}, "Hello Ann!"),
        ("{name}", {"name": "Ann"}, "Ann"),
        ("{ Name } {NAME}", {"name ": "Ann"}, "Ann Ann"),
        ("{Straße}", {"STRASSE": "5"}, "5"),
        ("{Prénom}", {"Pre\u0301nom": "Zoé"}, "Zoé"),
        ("{first name} {이름}", {"First Name": "Ann", "이름": "민수"}, "Ann 민수"),
        ("{{name}} {{}} {name}", {"name": "Ann"}, "{name} {} Ann"),
        ("{{{name}}}", {"name": "Ann"}, "{Ann}"),
        ("Hello", {}, "Hello"),
        ("", {}, ""),
        ("{a}{b}", {"a": "1", "b": "2"}, "12"),
        ("{name}", {"name": "{b} {{x}} }"}, "{b} {{x}} }"),
        ("{name}!", {"name": " Ann "}, "Ann!"),
        ("{name}!", {"name": "\u200bAnn\u00a0"}, "Ann!"),
        ("{sum}", {"sum": "'+5"}, "+5"),
        ("{sum}", {"sum": '="0042"'}, "0042"),
        ("{name}", {"name": "'s Gravenhage"}, "'s Gravenhage"),
        ("{name}", {"Name": "other", "name": "Ann"}, "Ann"),
    ],
)
def test_filling(text: str, fields: dict[str, str], filled: str) -> None:
    """Names are compared trimmed and caseless; a value goes in trimmed and is never read."""
    assert fill(parse(text), fields) == filled
    assert fill(parse(text).for_columns(fields), fields) == filled


@pytest.mark.parametrize(
    ("text", "position", "reason"),
    [
        ("Hello {name", 7, "never closed"),
        ("Hello name}", 11, "closes nothing"),
        ("Hello {}", 7, "holds no name"),
        ("Hello {  }", 7, "holds no name"),
        ("{a{b}}", 1, "opened again"),
        ("{{a}} {", 7, "never closed"),
        ("{a}}", 4, "closes nothing"),
        ("{a\nb}", 1, "line feed"),
        ("{" + 101 * "x" + "}", 1, "longer than 100"),
    ],
)
def test_bad_templates(text: str, position: int, reason: str) -> None:
    """A brace that makes no sense is refused with its place."""
    with pytest.raises(BadTemplate, match=reason) as refused:
        parse(text)
    assert refused.value.position == position
    assert str(refused.value).startswith(f"Character {position}: ")


@pytest.mark.parametrize("fields", [{}, {"other": "x"}, {"name": ""}, {"name": " \u00a0 "}])
def test_nobody_is_sent_a_hole(fields: dict[str, str]) -> None:
    """A placeholder without a value, or with a blank one, refuses the recipient."""
    with pytest.raises(MissingValue, match=r"There is no value for \{name\}") as refused:
        fill(parse("Hello { name }!"), fields)
    assert refused.value.name == "name"


@pytest.mark.parametrize(
    "value", ["a\nb", "a\tb", "a\0", "\x1b[0m", "a\x85b", "a\u2028b", "a\u2029b", "\ud83d"]
)
def test_control_characters_are_refused(value: str) -> None:
    """A value cannot add lines to a text, nor what no encoding can send; it is not repeated."""
    with pytest.raises(BadValue, match="control character") as refused:
        fill(parse("{name}"), {"name": value})
    assert value not in str(refused.value)


def test_two_fields_of_one_name_are_refused() -> None:
    """Which of two values is meant is not guessed."""
    with pytest.raises(BadValue, match="Two fields"):
        fill(parse("{NAME}"), {"name": "a", "Name": "b"})


def test_names() -> None:
    """Each placeholder is named once, as it was first written, and missing columns are told."""
    template = parse("{Name} {code} {name} {Link}")
    assert template.names == ("Name", "code", "Link")
    assert template.missing_from(["NAME", " link"]) == ("code",)
    assert parse("no {{name}}").names == ()


@settings(deadline=None)
@given(st.text())
def test_doubled_braces_are_the_text(text: str) -> None:
    """Any text can be sent by doubling its braces."""
    assert fill(parse(text.replace("{", "{{").replace("}", "}}")), {}) == text


@settings(deadline=None)
@given(st.text(alphabet="{}ab \n"))
def test_nothing_but_a_bad_template_is_raised(text: str) -> None:
    """Every text is a template or refused with a place inside it."""
    try:
        template = parse(text)
    except BadTemplate as error:
        assert text[error.position - 1] in "{}"  # noqa: PT017  # either outcome is right
    else:
        assert fill(template, dict.fromkeys(template.names, "x")).count("{") <= text.count("{{")


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("Hi {{name}}", "{Name}"),
        ("Hi {{ NAME }}", "{Name}"),
        ("Hi {{user.name | upper}}", "{Name}"),
        ("Hi {{{name}}}", None),
        ("Hi {{nobody}}", None),
        ("Hi {name} {{ }}", None),
    ],
)
def test_doubled_braces_around_a_column_are_refused(text: str, written: str | None) -> None:
    """Whoever writes a column between doubled braces means its value, as in other programs."""
    found = doubled_braces(text, ["to", "Name"])
    assert found is None if written is None else f"write {written}." in str(found)


@pytest.mark.parametrize("value", sorted(ERROR_VALUES))
def test_a_spreadsheet_s_error_refuses_its_row(value: str) -> None:
    """Nobody is greeted as #N/A."""
    with pytest.raises(BadValue, match="spreadsheet's error"):
        fill(parse("Hi {name}"), {"name": f" {value} "})


def test_an_error_that_nobody_uses_is_left_alone() -> None:
    """Only what the text needs is judged."""
    assert fill(parse("Hi {name}"), {"name": "Ann", "total": "#REF!"}) == "Hi Ann"


def test_what_is_no_text_is_told_where_it_is_used() -> None:
    """True, a list or an object has no form that a person should read."""
    with pytest.raises(BadValue, match="neither a text nor a number"):
        fill(parse("Hi {tags}"), {"tags": NOT_TEXT})


@pytest.mark.parametrize(
    "value", ["NULL", " N/A ", "undefined", "None", "nan", "-", "[object Object]"]
)
def test_values_that_say_there_is_none_are_noticed(value: str) -> None:
    """They may be names, and are texted; a dry run counts them."""
    names = ("name", "city")
    assert doubtful_values(names, {"name": value, "city": "Rome"}) == ("name",)
    assert doubtful_values(names, {"name": "Ann", "city": "Nanaimo", "x": value}) == ()
