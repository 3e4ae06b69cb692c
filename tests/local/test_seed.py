"""The made-up month: the same for one seed, lawful, and readable as if it had happened."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from local.ports import Ports
from local.seed.command import seed_once
from local.seed.month import CAMPAIGNS, DAYS, DELIVERED, OFFERS, Said, Sent, month
from local.seed.rows import write_month
from local.stack import Stack, StackOptions
from shared.base.clock import iso
from shared.rules.addresses import recipient

UNTIL = datetime(2026, 11, 22, 17, 30, tzinfo=UTC)
SEED = 1


def test_one_seed_makes_one_month() -> None:
    """The same seed and end make the same month; another seed makes another one."""
    assert month(UNTIL, SEED) == month(UNTIL, SEED)
    assert month(UNTIL, SEED) != month(UNTIL, SEED + 1)


def test_it_can_happen_later() -> None:
    """The same story some hours later is the same, but for its times."""
    later = timedelta(days=2, hours=-9)
    shifted = month(UNTIL + later, SEED, later=later)
    assert [replace(went, at=went.at - later) for went in shifted] == month(UNTIL, SEED)


def test_it_lies_in_the_past_and_in_order() -> None:
    """Nothing happens before its thirty days or after its end, reports included."""
    happenings = month(UNTIL, SEED)
    times = [happening.at for happening in happenings]
    assert times == sorted(times)
    assert UNTIL - timedelta(days=DAYS) <= times[0] <= times[-1] < UNTIL
    for sent in happenings:
        if isinstance(sent, Sent):
            for told in sent.people:
                assert told.status is None or sent.at + timedelta(seconds=told.seconds) < UNTIL


def test_nobody_is_texted_after_stop() -> None:
    """Who has said STOP is blocked until START, for that sender alone."""
    out: set[tuple[str, str]] = set()
    blocked = 0
    for happening in month(UNTIL, SEED):
        if isinstance(happening, Said):
            key = (happening.theirs, happening.ours)
            if happening.text.upper() == "STOP":
                out.add(key)
            elif happening.text == "START":
                out.discard(key)
            continue
        for told in happening.people:
            if (told.address, happening.sender) in out:
                assert told.blocked
                blocked += 1
    assert blocked


def test_its_numbers_can_be_texted() -> None:
    """Every number is one that a send would take."""
    people = {t.address for s in month(UNTIL, SEED) if isinstance(s, Sent) for t in s.people}
    assert {recipient(number) for number in people} == people


@pytest.fixture(scope="module")
def young(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack of its own, since a month would surprise every other test."""
    options = StackOptions(ports=Ports.any_free(), logs=tmp_path_factory.mktemp("logs"))
    with Stack(options) as stack:
        yield stack


def _get(stack: Stack, path: str) -> Any:
    request = urllib.request.Request(  # noqa: S310  # a loopback address of our own
        stack.endpoint + path, headers={"x-functions-key": stack.function_key}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        return json.load(answer)


@pytest.mark.slow
def test_what_was_written_reads_as_if_it_had_happened(young: Stack) -> None:
    """States, conversations, opt-outs and campaigns of a written day are those of the story."""
    start = UNTIL.replace(hour=0, minute=0) - timedelta(days=5)
    day = [h for h in month(UNTIL, SEED) if start <= h.at < start + timedelta(days=1)]
    written = write_month(young.settings, day)
    again = write_month(young.settings, day)
    assert written == again
    texts = [(sent, told) for sent in day if isinstance(sent, Sent) for told in sent.people]
    assert written.texts == len(texts)

    listed = _get(
        young,
        f"/messages?maxpagesize=500&startTime={quote(iso(start))}"
        f"&endTime={quote(iso(start + timedelta(hours=16)))}",
    )["value"]
    told_of = {(s.sender, t.address, iso(s.at)): t for s, t in texts if not t.blocked}
    seen = [item for item in listed if item["direction"] == "outbound"]
    assert seen
    for item in seen:
        told = told_of[item["from"], item["to"], item["createdAt"]]
        assert (item["state"] == "delivered") is (told.status == DELIVERED)

    leaving = next(h for h in day if isinstance(h, Said) and h.text.upper() == "STOP")
    standing = _get(young, f"/optouts?recipient={quote(leaving.theirs)}")["value"]
    assert any(scope["isOptedOut"] for scope in standing)
    (found,) = _get(
        young, f"/conversations?ours={quote(leaving.ours)}&theirs={quote(leaving.theirs)}"
    )["value"]
    conversation = _get(young, f"/conversations/{found['conversationId']}?maxpagesize=500")["value"]
    assert leaving.text in {item.get("message") for item in conversation}

    (campaign,) = {sent.campaign for sent, _ in texts if sent.campaign}
    of_campaign = [told for sent, told in texts if sent.sender == OFFERS]
    shown = _get(young, f"/campaigns/{campaign}")
    assert shown["message"] == CAMPAIGNS[str(campaign)]
    assert sum(shown["counts"].values()) == len(of_campaign)
    assert shown["counts"]["delivered"] == sum(t.status == DELIVERED for t in of_campaign)


def test_a_past_is_given_once(tmp_path: Path) -> None:
    """A data folder that has a past keeps it, whatever the seed; the stack is not touched."""
    not_running = Stack(StackOptions())
    (tmp_path / "seed.json").write_text(
        json.dumps({"seed": 1, "until": iso(UNTIL), "written": True})
    )
    assert seed_once(not_running, tmp_path, 2, UNTIL) is None
