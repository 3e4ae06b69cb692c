"""A send's body, as far as it says who is to be texted."""

from __future__ import annotations

import json

from shared.base.clock import utc_now
from shared.messages.request import SendRequest
from shared.rules.senders import parse_senders
from shared.sending.request_body import read_send

SENDERS = parse_senders('[{"sender": "+18005550100"}]')


def send(*recipients: str) -> SendRequest:
    body = {
        "from": "+18005550100",
        "message": "Your table is ready.",
        "smsRecipients": [{"to": to} for to in recipients],
    }
    content = json.dumps(body).encode()
    return read_send(
        content,
        senders=SENDERS,
        now=utc_now(),
        knows_report_timeout=True,
        id_key=b"k" * 32,
    )


def test_a_person_under_two_spellings_is_texted_once() -> None:
    """At the number that was written first; each entry is answered as it was written."""
    written = ["+54 9 11 2345-6789", "+14255550123", "+541123456789", "+54 11 15 2345-6789"]
    request = send(*written)
    assert request.addresses() == ["+5491123456789", "+14255550123"]
    assert [asked.to for asked in request.asked] == written
    assert [asked.address for asked in request.asked] == [
        "+5491123456789", "+14255550123", "+5491123456789", "+5491123456789",
    ]  # fmt: skip
    assert send(*reversed(written)).addresses() == ["+5491123456789", "+14255550123"]


def test_the_number_is_texted_as_it_was_written() -> None:
    """The key of a person is one to compare by: only the network knows which number it reaches."""
    assert send("+541123456789").addresses() == ["+541123456789"]
    assert send("+5491123456789").addresses() == ["+5491123456789"]
