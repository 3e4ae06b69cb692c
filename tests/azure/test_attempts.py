"""Members of delivery attempts: in the promised form, however the platform wrote them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from shared.azure.event_grid import SMS_DELIVERY_REPORT_RECEIVED, Envelope, read_report
from shared.base import ids

NOW = datetime(2026, 11, 29, 9, 0, tzinfo=UTC)
SOUND = {"timestamp": "2026-11-29T08:00:00Z", "segmentsSucceeded": 1, "segmentsFailed": 0}


def attempts(*given: Any) -> list[Any]:
    data = {
        "messageId": "1",
        "from": "+18005550100",
        "to": "+14255550123",
        "deliveryStatus": "Delivered",
        "deliveryStatusDetails": "No error.",
        "receivedTimestamp": "2026-11-29T08:00:01Z",
        "deliveryAttempts": list(given),
    }
    envelope = Envelope("1", SMS_DELIVERY_REPORT_RECEIVED, "2026-11-29T08:00:01Z", data)
    return read_report(envelope, NOW).attempts


@pytest.mark.parametrize(
    "given",
    [
        SOUND,
        {"Timestamp": "2026-11-29T08:00:00Z", "SegmentsSucceeded": 1, "SegmentsFailed": 0},
        {**SOUND, "segmentsSucceeded": "1", "segmentsFailed": "0"},
        {**SOUND, "segmentsSucceeded": 1.0},
        {**SOUND, "carrier": "x"},
    ],
)
def test_each_spelling_gives_the_promised_members(given: dict[str, Any]) -> None:
    """camelCase, whole numbers, nothing else: what ACS's own libraries read."""
    assert attempts(given) == [SOUND]


@pytest.mark.parametrize(
    ("given", "left"),
    [
        ({**SOUND, "segmentsFailed": "many"}, {"timestamp", "segmentsSucceeded"}),
        ({**SOUND, "segmentsFailed": -1}, {"timestamp", "segmentsSucceeded"}),
        ({**SOUND, "segmentsFailed": True}, {"timestamp", "segmentsSucceeded"}),
        ({**SOUND, "timestamp": "soon"}, {"segmentsSucceeded", "segmentsFailed"}),
    ],
)
def test_what_makes_no_sense_is_left_out(given: dict[str, Any], left: set[str]) -> None:
    """A member that is missing harms no reader; one of another type does."""
    assert set(attempts(given)[0]) == left


def test_other_forms_of_time_become_iso() -> None:
    """A library that reads ISO 8601 reads all of them."""
    found = attempts({**SOUND, "timestamp": "11/29/2026 08:00:00"})
    assert found[0]["timestamp"] == "2026-11-29T08:00:00+00:00"


def test_attempts_that_are_no_objects_are_left_out() -> None:
    """A list of texts says nothing that anybody could read."""
    assert attempts("first", None, SOUND) == [SOUND]


def test_a_text_s_id_does_not_depend_on_a_fraction_of_a_second() -> None:
    """The same event with its time in whole seconds is the same message."""
    exact = datetime(2026, 11, 29, 8, 0, 17, 123456, tzinfo=UTC)
    assert ids.inbound_id("Incoming_1", exact) == ids.inbound_id(
        "Incoming_1", exact.replace(microsecond=0)
    )
