"""Reading ACS's events: whatever a member holds, a text is read or refused with a reason."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.events import envelope
from shared.azure.event_grid import SMS_RECEIVED, Envelope, read_received, read_report
from shared.base.errors import Unintelligible

REPORT = "Microsoft.Communication.SMSDeliveryReportReceived"
NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
SAID = "2026-11-29T08:30:00Z"
DATA = {
    "messageId": "Incoming_1",
    "from": "14255550171",
    "to": "18005550100",
    "message": "STOP",
    "receivedTimestamp": SAID,
}
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


def nested(depth: int) -> str:
    """JSON that is so deep."""
    return '{"a":[' * (depth // 2) + "[" * (depth % 2) + "]" * (depth % 2) + "]}" * (depth // 2)


def received(time: Any, **changes: Any) -> datetime:
    return read_received(Envelope("e", SMS_RECEIVED, time, {**DATA, **changes}), NOW).received


@pytest.mark.parametrize(
    "written",
    [
        SAID,
        "2026-11-29T08:30:00",
        "2026-11-29T08:30:00.0000000+00:00",
        "2026-11-29T02:30:00-06:00",
        "11/29/2026 08:30:00",
        "11/29/2026 8:30:00.000Z",
        "11/29/2026 08:30:00+00:00",
        "Sun, 29 Nov 2026 08:30:00 GMT",
        "Sun, 29 Nov 2026 03:30:00 -0500",
        " 2026-11-29T08:30:00Z ",
    ],
)
def test_forms_of_a_time(written: str) -> None:
    """Every form in which a time has been seen is the same moment, in either place."""
    said = datetime.fromisoformat(SAID)
    assert received(None, receivedTimestamp=written) == said
    assert received(written, receivedTimestamp=None) == said


@pytest.mark.parametrize("written", ["29/11/2026 08:30:00", "yesterday", "", 1795941000, None, {}])
def test_what_names_no_time_means_now(written: Any) -> None:
    """A person's text without a readable time was said when it came; a report must tell its own."""
    assert received(written, receivedTimestamp=written) == NOW
    report = Envelope("e", REPORT, written, {
        **DATA, "deliveryStatus": "Delivered", "receivedTimestamp": written,
    })  # fmt: skip
    with pytest.raises(Unintelligible, match="receivedTimestamp"):
        read_report(report, NOW)


def test_a_time_that_cannot_be_means_now() -> None:
    """Nothing was said before ACS existed, or is said in the future."""
    ahead = (NOW + timedelta(days=1)).isoformat()
    assert received(ahead, receivedTimestamp="0001-01-01T00:00:00Z") == NOW


@pytest.mark.parametrize("word", ["START", "unstop", " Start! ", "SUBSCRIBE", "alta", "시작"])
@pytest.mark.parametrize("written", ["yesterday", None, "0001-01-01T00:00:00Z"])
def test_an_opt_in_tells_its_time(word: str, written: Any) -> None:
    """A START that counted as said now would undo a STOP that was said after it."""
    with pytest.raises(Unintelligible, match=r"opts in.*receivedTimestamp"):
        received(written, receivedTimestamp=written, message=word)
    assert (
        received(SAID, receivedTimestamp=written, message=word).isoformat() == SAID[:-1] + "+00:00"
    )
    for other in ("STOP", "HELP", "start over please", ""):
        assert received(written, receivedTimestamp=written, message=other) == NOW


@pytest.mark.parametrize("written", ["yesterday", None])
def test_a_report_that_opts_out_needs_no_time(written: Any) -> None:
    """The person is out from now on, and the report is the same one however often it comes."""
    data = {**DATA, "deliveryStatus": "Failed", "receivedTimestamp": written}
    for details in ("4007", "Sender blocked for given recipient"):
        report = read_report(
            Envelope("e", REPORT, written, {**data, "deliveryStatusDetails": details}), NOW
        )
        assert (report.received, report.received_text) == (NOW, "")
    for other in ("4001", None):
        with pytest.raises(Unintelligible, match="receivedTimestamp"):
            read_report(
                Envelope("e", REPORT, written, {**data, "deliveryStatusDetails": other}), NOW
            )


@given(ANYTHING, ANYTHING, st.text())
def test_no_member_makes_the_reader_fail(time: Any, message: Any, base: str) -> None:
    """Whatever stands in its members, an event is read or refused with a reason."""
    for data in ({**DATA, "message": message, "receivedTimestamp": base}, base, time):
        with suppress(Unintelligible):
            read_received(Envelope(base, SMS_RECEIVED, time, data), NOW)


@pytest.mark.parametrize("data", ["[" * 100_000, '"{}"', "7", "e30", "4pyT", "\ud83d", "not JSON!"])
def test_a_text_that_holds_no_object(data: str) -> None:
    """A text that is neither JSON nor base64 of it is no data."""
    with pytest.raises(Unintelligible, match="no data object"):
        read_received(Envelope("e", SMS_RECEIVED, SAID, data), NOW)


@pytest.mark.parametrize("depth", [65, 300, 900, 30_000])
def test_data_that_is_nested_deeply(depth: int) -> None:
    """However it is packed, data that nothing can walk is refused with its reason; one that is not
    so deep is read."""
    for deepest, is_read in ((depth, False), (63, True)):
        text = json.dumps(DATA).removesuffix("}") + f', "more": {nested(deepest)}}}'
        for data in (text, base64.b64encode(text.encode()).decode()):
            event = Envelope("e", SMS_RECEIVED, SAID, data)
            if is_read:
                assert read_received(event, NOW).text == "STOP"
            else:
                with pytest.raises(Unintelligible, match=r"deeper than 64|no data object"):
                    read_received(event, NOW)


@pytest.mark.parametrize("depth", [65, 300, 900, 30_000])
def test_an_event_that_is_nested_deeply(depth: int) -> None:
    """An event that cannot be taken apart is kept as the text that it came in."""
    for member in ("data", "id", "eventType"):
        event = f'{{"eventType": "{SMS_RECEIVED}", "data": {{}}, "{member}": {nested(depth)}}}'
        found = envelope(event)
        assert found.data == event
        for read in (read_received, read_report):
            with pytest.raises(Unintelligible, match="nested deeper than 64"):
                read(found, NOW)


def test_an_event_with_an_endless_number() -> None:
    """What Python refuses to read is no reason to bring it again for a day."""
    with pytest.raises(Unintelligible, match="number that is too long"):
        read_received(envelope('{"data": {"segmentCount": ' + "1" * 5000 + "}}"), NOW)


def test_a_missing_text_is_no_empty_one() -> None:
    """An event without the member `message` may hold the words elsewhere: somebody has to look."""
    data = {name: value for name, value in DATA.items() if name != "message"}
    with pytest.raises(Unintelligible, match=r"data\.message"):
        read_received(Envelope("e", SMS_RECEIVED, SAID, data), NOW)


@pytest.mark.parametrize("event", ["", "no JSON", "[]", "7", "null"])
def test_what_is_no_event_is_not_taken(event: str) -> None:
    """The host is told that it failed, so that Event Grid keeps what it cannot deliver."""
    with pytest.raises(ValueError, match=r"JSON|Expecting"):
        envelope(event)
