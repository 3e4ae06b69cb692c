"""What the running host has logged."""

from __future__ import annotations

import uuid

from local.stack import Stack
from tests.support.client import TOLL_FREE, Parley, Platform, send_body
from tests.support.golden import golden_event


async def test_no_log_tells_who_or_what(
    stack: Stack, parley: Parley, platform: Platform, person: str
) -> None:
    """Through sending, replies, reports, refusals and quarantine: no number, no word, no key."""
    words = f"secret-{uuid.uuid4().hex}"
    (item,) = await parley.send(person, message=words, tag=words)
    await parley.message_in_state(item["messageId"], "delivered")
    spoken = await platform.speak(person, f"{words}?")
    await platform.relayed_event("Parley.SMSReceived", platformMessageId=spoken)
    await platform.speak(person, "STOP")
    await platform.relayed_event("Parley.OptOutChanged", recipient=person)
    await parley.send(person, message=words)
    await parley.signed("POST", "/sms", send_body(person, sender="NOBODY", message=words))
    await parley.signed("POST", "/sms", {"from": person, "message": words, words: person})
    strange = golden_event("received", person=person)
    strange["data"] |= {"to": words, "message": words}
    assert await parley.deliver("inbound", [strange]) == 202
    assert await parley.deliver("inbound", [words]) == 500

    log = (stack._options.logs / "functions.log").read_text(encoding="utf-8")
    assert item["messageId"] in log or item["messageId"].partition(".")[0] in log
    assert words not in log
    assert person not in log
    assert person.lstrip("+") not in log
    for key in (*stack.access_keys, stack.function_key, stack.keys.acs, stack.keys.id_key):
        assert key not in log
    assert TOLL_FREE in log
