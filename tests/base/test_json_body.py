"""The reader of bodies: whatever stands in a member, a sentence or a value within its bounds."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.base.errors import ForeignSender, InvalidRequest
from shared.base.json_body import (
    CONTROLS,
    DEEPEST,
    LONGEST_PLACE,
    LONGEST_SENTENCE,
    Body,
    Checked,
    Flag,
    ListOf,
    Member,
    Object,
    OneOf,
    Parsed,
    Text,
    Unsupported,
    Whole,
    is_text,
    parse_json,
)

HALF = "\ud83d"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
texts = st.text(st.characters(exclude_categories=()), max_size=20) | st.just("x" * 5_000)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**400), 10**400)
    | st.integers(-5, 20)
    | st.floats()
    | texts
    | st.sampled_from(["red", "blue", "12", HALF, f"red{HALF}", "\x00", " red "])
)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(texts, inner, max_size=5),
    max_leaves=12,
)


def errors_of(call: Callable[[], Any]) -> dict[str, list[str]]:
    """What the call says is wrong; nothing if it does not refuse."""
    try:
        call()
    except InvalidRequest as error:
        return error.errors
    return {}


def parsed(value: Any) -> int:
    if not isinstance(value, str) or len(value) > 3:
        raise ValueError(f"{value!r} is too much")
    return len(value)


# Of each kind one, and what every value that it lets pass is.
KINDS: dict[str, tuple[Any, Any]] = {
    "text": (Text(2, 9), lambda v: 2 <= len(v) <= 9 and is_text(v)),
    "stripped": (Text(1, 9, strip=True), lambda v: v == v.strip() and 1 <= len(v) <= 9),
    "form": (Text(form=re.compile("[0-9]+")), lambda v: v.isdigit() and v.isascii()),
    "clean": (Text(most=9, without=CONTROLS), lambda v: not CONTROLS.search(v) and is_text(v)),
    "compared": (Text(1, halves=True), lambda v: len(v) >= 1),
    "whole": (Whole(-2, 9), lambda v: type(v) is int and -2 <= v <= 9),
    "flag": (Flag(), lambda v: v is True or v is False),
    "one": (OneOf(("red", "blue")), lambda v: v in {"red", "blue"}),
    "list": (ListOf(Whole(0, 5), 1, 3), lambda v: 1 <= len(v) <= 3 and set(v) <= set(range(6))),
    "object": (
        Object((Member("a", Text(1, 3), required=True), Member("b", Whole(0, 1)))),
        lambda v: v.keys() == {"a", "b"} and 1 <= len(v["a"]) <= 3 and v["b"] in {None, 0, 1},
    ),
    "parsed": (Parsed(parsed), lambda v: 0 <= v <= 3),
    "checked": (Checked(lambda v: [] if v == "red" else ["No.", "No!"]), lambda v: v == "red"),
    "unsupported": (Unsupported(), lambda _: False),
}
TABLE = tuple(Member(name, kind) for name, (kind, _) in KINDS.items())


@given(st.dictionaries(st.sampled_from(list(KINDS)) | texts, anything, max_size=8) | anything)
def test_a_value_within_its_bounds_or_a_sentence(value: Any) -> None:
    """Whatever JSON makes of a body, each member is left out, or is within its bounds, or has a
    sentence; what the table does not name has one; places and sentences have an end."""
    if not isinstance(value, dict):
        assert errors_of(lambda: Body(value, TABLE)) == {"": ["The body must be a JSON object."]}
        return
    body = Body(value, TABLE)
    errors = errors_of(body.finish)
    for name, (_, within) in KINDS.items():
        if not body.given(name):
            assert body[name] is None
            assert body.sound(name)
        elif body.sound(name):
            assert within(body[name])
        else:
            assert any(re.match(rf"{name}\b", place) for place in errors)
    unknown = {name[:LONGEST_PLACE] for name in value.keys() - KINDS.keys()}
    assert unknown <= errors.keys()
    assert bool(errors) == bool(unknown or not body.sound(*KINDS))
    for place, sentences in errors.items():
        assert len(place) <= LONGEST_PLACE + len("[99]")
        assert sentences
        assert all(0 < len(sentence) <= LONGEST_SENTENCE for sentence in sentences)
    json.dumps(errors).encode()


@pytest.mark.parametrize(
    ("member", "value", "places"),
    [
        (Member("m", Text(1), "S.", required=True), None, {"m": ["S."]}),
        (Member("m", Text(1), "S.", required=True, missing="M."), None, {"m": ["M."]}),
        (Member("m", Text(1), "S.", required=True, missing="M."), 5, {"m": ["S."]}),
        (Member("m", Text()), HALF, {"m": ["This must be a text."]}),
        (Member("m", Text(most=1)), "ab", {"m": ["This has 2 characters; at most 1 are read."]}),
        (Member("m", Whole(1, 2)), True, {"m": ["This is a whole number from 1 to 2."]}),
        (Member("m", Whole(1, 2)), 1.0, {"m": ["This is a whole number from 1 to 2."]}),
        (Member("m", ListOf(Flag(), 1, 2), "S."), [], {"m": ["S."]}),
        (Member("m", ListOf(Flag(), 1, 2, too_many="T."), "S."), [1, 2, 3], {"m": ["T."]}),
        (Member("m", ListOf(Flag(), 1, 2), "S."), [1, 2, 3], {"m": ["S."]}),
        (Member("m", ListOf(Flag(), 1, 2, each="E."), "S."), [True, None], {"m[1]": ["E."]}),
        (
            Member("m", Object((Member("a", Flag(), required=True),)), "S."),
            {"b": 1},
            {"m.b": ["This member is not known here."], "m.a": ["This is required."]},
        ),
        (Member("m", Parsed(parsed), ""), "long", {"m": ["'long' is too much."]}),
        (Member("m", Checked(lambda _: ["One.", "Two."])), 0, {"m": ["One.", "Two."]}),
        (Member("m", Unsupported(), "Why."), [], {"m": ["Why."]}),
    ],
)
def test_what_is_said_and_where(member: Member, value: Any, places: dict[str, list[str]]) -> None:
    """The table's sentence where it has one, else the kind's own, at the innermost place."""
    body = Body({"m": value}, (member,))
    with pytest.raises(InvalidRequest) as refused:
        body.finish()
    assert refused.value.errors == places


def test_rules_over_several_members_are_told_with_the_rest() -> None:
    """One answer names all that is wrong; the same is said once."""
    body = Body({"a": 1, "c": 1}, (Member("a", Flag()), Member("b", Flag())))
    body.wrong("b", "Not without a.")
    body.wrong("b", "Not without a.")
    body.adopt(InvalidRequest({"a": ["Nor so."]}))
    assert not body.sound("b")
    with pytest.raises(InvalidRequest) as refused:
        body.finish()
    assert refused.value.errors == {
        "c": ["This member is not known here."],
        "a": ["This is true or false.", "Nor so."],
        "b": ["Not without a."],
    }


@given(st.binary(max_size=50) | st.text(max_size=50).map(str.encode))
def test_bytes_are_json_or_refused(content: bytes) -> None:
    """Nothing else comes of it."""
    assert list(errors_of(lambda: parse_json(content))) in ([], [""])


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_depth_has_an_end(opening: str) -> None:
    """What is read can also be written again, however deep the call stands: no body is nested
    more than 64 deep, and a wide one is not a deep one."""
    closing = "]" if opening == "[" else "}"

    def nested(depth: int) -> bytes:
        return (opening * depth + "1" + closing * depth).encode()

    json.dumps(parse_json(nested(DEEPEST)))
    assert len(parse_json(b"[" + b",".join([nested(5)] * 1000) + b"]")) == 1000
    for depth in (DEEPEST + 1, 950, 990, 100_000):
        with pytest.raises(InvalidRequest, match="nested too deeply"):
            parse_json(nested(depth))


# The bodies of the interface ----------------------------------------------------------------------


def interface() -> dict[str, tuple[Any, dict[str, Any]]]:
    """The reader of each body, and a sound body with every member."""
    # Later than the module itself, so that the reader's own tests need nothing of the rooms.
    from shared.analytics.api import read_rebuild  # noqa: PLC0415
    from shared.campaigns.order import read_order  # noqa: PLC0415
    from shared.conversations.api import read_mark  # noqa: PLC0415
    from shared.optouts.api import read_acs_change, read_operator_change  # noqa: PLC0415
    from shared.rules.senders import parse_senders  # noqa: PLC0415
    from shared.sending.request_body import read_send  # noqa: PLC0415

    senders = parse_senders('[{"sender": "24680"}, {"sender": "13579"}]')
    person = {
        "to": "+14255550123",
        "repeatabilityRequestId": "5f0d7c1e-0000-4000-8000-000000000001",
        "repeatabilityFirstSent": "Sun, 22 Nov 2026 12:00:00 GMT",
    }
    timing = {"timeZone": "America/New_York", "timeToLiveInSeconds": 3600}
    send = {
        "from": "24680",
        "smsRecipients": [person],
        "message": "Hi",
        "smsSendOptions": {
            "enableDeliveryReport": True,
            "tag": "t",
            "deliveryReportTimeoutInSeconds": 60,
        },
        "category": "transactional",
        "sendAt": "2026-12-01T12:00:00",
        **timing,
    }
    common = {
        "campaignId": "c",
        "message": "Hi {name}",
        "category": "marketing",
        "tag": "t",
        "enableDeliveryReport": True,
        "startAt": "2026-12-01T12:00:00",
        "spreadOverSeconds": 60,
        "atMostOncePerHours": 1,
        "window": {"from": "10:00", "to": "18:00", "days": {"sunday": None}, "closedOn": ["12-25"]},
        "planHash": "0",
        **timing,
    }

    def order(body: bytes) -> Any:
        return read_order(parse_json(body), senders=senders, now=NOW)

    return {
        "send": (
            lambda body: read_send(
                body, senders=senders, now=NOW, knows_report_timeout=True, id_key=b"k" * 32
            ),
            send,
        ),
        "order": (
            order,
            {**common, "from": "24680", "recipients": [{"to": "+14255550123", "name": "Ann"}]},
        ),
        "order of a list": (
            order,
            {**common, "senders": ["24680"], "list": {"name": "l.csv", "numberColumn": "phone"}},
        ),
        "opt-outs": (read_acs_change, {"from": "24680", "recipients": [{"to": "+14255550123"}]}),
        "operator": (
            read_operator_change,
            {"recipient": "+14255550123", "from": "24680", "reason": "Why.", "changeId": "1"},
        ),
        "mark": (lambda body: read_mark(body, NOW), {"readUpTo": "2026-11-22T11:00:00Z"}),
        "rebuild": (
            lambda body: read_rebuild(parse_json(body), NOW),
            {"startTime": "2026-11-20", "endTime": "2026-11-21"},
        ),
    }


@st.composite
def mutated(draw: st.DrawFn, body: Any) -> Any:
    """The body with anything at all in place of something in it, at any depth."""
    if isinstance(body, dict) and body and draw(st.integers(0, 5)):
        name = draw(st.sampled_from(sorted(body)))
        return {**body, name: draw(mutated(body[name]))}
    if isinstance(body, list) and body and draw(st.integers(0, 5)):
        return [draw(mutated(body[0])), *body[1:]]
    if isinstance(body, dict) and draw(st.booleans()):
        return {**body, draw(texts): draw(anything)}
    return draw(anything)


@pytest.mark.parametrize("name", list(interface()))
@given(st.data())
def test_whatever_stands_in_a_body_of_the_interface(name: str, data: st.DataObject) -> None:
    """It is read, or refused with the members at fault, or its sender is not configured."""
    read, sound = interface()[name]
    read(json.dumps(sound).encode())
    value = data.draw(mutated(sound))
    with suppress(ForeignSender):
        errors_of(lambda: read(json.dumps(value).encode()))
