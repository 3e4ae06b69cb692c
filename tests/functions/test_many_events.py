"""As many events in one request as Event Grid batches at the most."""

from __future__ import annotations

import random
import uuid

import pytest

from tests.support.client import TOLL_FREE, Parley, Platform
from tests.support.golden import golden_event
from tests.support.people import People
from tests.support.storage import StorageView

TEXTS = 200
REPEATS = 100


@pytest.mark.parametrize("batch", [500, pytest.param(5000, marks=pytest.mark.slow)])
async def test_so_many_events_in_one_request(
    batch: int, parley: Parley, platform: Platform, people: People, storage: StorageView
) -> None:
    """Each is recorded or quarantined, none twice and none lost, and the request succeeds."""
    authors = people.many(TEXTS)
    texts = [golden_event("received", person=author) for author in authors]
    strange = [
        {"id": str(uuid.uuid4()), "eventType": "Contoso.Unknown", "data": None, "topic": "x"}
        for _ in range(batch - TEXTS - REPEATS)
    ]
    events = [*texts, *texts[:REPEATS], *strange]
    random.Random(batch).shuffle(events)  # noqa: S311  # no secret
    before = await storage.quarantined_names("inbound")

    assert await parley.deliver("inbound", events) == 202

    assert len(await storage.quarantined_names("inbound") - before) == len(strange)
    rows = await storage.rows("conversations", "ours eq @ours and kind ne 'read'", ours=TOLL_FREE)
    written = [row["theirs"] for row in rows]
    assert sorted(author for author in written if author in set(authors)) == sorted(authors)
    told = await platform.relayed("Parley.SMSReceived")
    ids = {event["id"] for event in told if event["data"]["from"] in set(authors)}
    assert len(ids) == TEXTS
