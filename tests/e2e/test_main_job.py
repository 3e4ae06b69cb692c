"""The main job, through the runtime, Azurite and the simulated platform."""

from __future__ import annotations

from tests.support.client import ALPHANUMERIC, SHORT_CODE, TOLL_FREE, Parley, Platform
from tests.support.polling import eventually

REPORT = "Parley.SMSDeliveryReportReceived"
RECEIVED = "Parley.SMSReceived"
CHANGED = "Parley.OptOutChanged"
BLOCKED = "Sender blocked for given recipient."


async def opted_out(parley: Parley, person: str, sender: str = TOLL_FREE) -> bool:
    """What the ledger says of a person and a sender; False also where it says nothing."""
    found = [d for d in await parley.optouts(person) if d["scope"] == f"sender:{sender}"]
    return bool(found and found[0]["isOptedOut"])


async def test_a_text_is_delivered_and_reported(
    parley: Parley, platform: Platform, person: str
) -> None:
    """A text reaches the handset once; its report reaches the application under its own tag."""
    (item,) = await parley.send(person, message="Your table is ready.", tag="order-17")
    assert item["successful"]
    assert item["httpStatusCode"] == 202
    assert item["errorMessage"] is None
    message = await parley.message_in_state(item["messageId"], "delivered")
    assert message["isFinal"]
    assert [event["event"] for event in message["history"]] == [
        "accepted",
        "sent",
        "deliveryReport",
    ]
    assert await platform.texts(person) == ["Your table is ready."]
    event = await platform.relayed_event(REPORT, messageId=item["messageId"])
    data = event["data"]
    assert (data["tag"], data["deliveryStatus"], data["code"]) == ("order-17", "Delivered", 2000)
    assert (data["from"], data["to"], data["state"]) == (TOLL_FREE, person, "delivered")


async def test_a_report_goes_only_to_an_application_that_asked(
    parley: Parley, platform: Platform, person: str
) -> None:
    """Without `enableDeliveryReport` Parley still learns of the delivery, and tells nobody."""
    (item,) = await parley.send(person, report=False)
    await parley.message_in_state(item["messageId"], "delivered")
    assert await platform.relayed(REPORT, messageId=item["messageId"]) == []


async def test_a_reply_is_relayed_and_stands_in_the_conversation(
    parley: Parley, platform: Platform, person: str
) -> None:
    """What a person answers reaches the application, and stands behind what was asked."""
    (item,) = await parley.send(person, message="Coming?")
    await parley.message_in_state(item["messageId"], "delivered")
    platform_id = await platform.speak(person, "Yes, at ten.")
    event = await platform.relayed_event(RECEIVED, platformMessageId=platform_id)
    data = event["data"]
    assert (data["from"], data["to"], data["message"]) == (person, TOLL_FREE, "Yes, at ten.")
    assert data["keyword"] is None
    entries = await parley.conversation(TOLL_FREE, person)
    said = [(entry["direction"], entry["message"]) for entry in entries]
    assert said == [("outbound", "Coming?"), ("inbound", "Yes, at ten.")]
    assert (await parley.message(data["messageId"]))["state"] == "received"


async def test_stop_blocks_and_unstop_opens(
    parley: Parley, platform: Platform, person: str
) -> None:
    """After STOP nothing reaches ACS for that person; after UNSTOP texts arrive again."""
    (first,) = await parley.send(person, message="One")
    await parley.message_in_state(first["messageId"], "delivered")

    await platform.speak(person, "Stop!")
    await platform.speak(person, "STOP")
    answer = await platform.text_with(person, "NETWORK MSG", "carrier")
    assert "STOP" in answer
    told = await platform.relayed_event(CHANGED, recipient=person, isOptedOut=True)
    assert told["data"]["channel"] == "keyword"
    await eventually(lambda: opted_out(parley, person), "the opt-out stands in the ledger")
    (decision,) = await parley.optouts(person)
    assert decision["entry"]["rule"] == "keyword/STOP"
    assert decision["entry"]["program"] == "reminders"

    (refused,) = await parley.send(person, message="Two", tag="order-18")
    assert (refused["successful"], refused["errorMessage"]) == (False, BLOCKED)
    assert await platform.calls(person) == 1
    assert [text["text"] for text in await platform.accepted(person)] == ["One"]
    report = await platform.relayed_event(REPORT, messageId=refused["messageId"])
    assert report["data"]["deliveryStatus"] == "Failed"
    assert (report["data"]["code"], report["data"]["tag"]) == (4007, "order-18")
    blocked = await parley.message(refused["messageId"])
    assert blocked["state"] == "blocked"
    assert blocked["blockedBy"]["sequence"] == decision["entry"]["sequence"]

    await platform.speak(person, "UNSTOP")
    await platform.relayed_event(CHANGED, recipient=person, isOptedOut=False)
    (third,) = await parley.send(person, message="Three")
    assert third["successful"]
    await parley.message_in_state(third["messageId"], "delivered")
    assert await platform.texts(person) == ["One", "Three"]


async def test_a_short_code_is_answered_by_the_platform(
    parley: Parley, platform: Platform, person: str
) -> None:
    """On a short code ACS confirms STOP; Parley's ledger blocks that sender and no other."""
    (item,) = await parley.send(person, sender=SHORT_CODE)
    await parley.message_in_state(item["messageId"], "delivered")
    await platform.speak(person, "STOP", to=SHORT_CODE)
    await platform.text_with(person, "opted out", "platform")
    await eventually(lambda: opted_out(parley, person, SHORT_CODE), "the ledger knows of it")
    (refused,) = await parley.send(person, sender=SHORT_CODE)
    assert refused["errorMessage"] == BLOCKED
    (other,) = await parley.send(person, sender=TOLL_FREE)
    assert other["successful"]


async def test_an_alphanumeric_sender_sends(
    parley: Parley, platform: Platform, person: str
) -> None:
    """An alphanumeric sender delivers; nobody can answer it, and nothing depends on an answer."""
    (item,) = await parley.send(person, sender=ALPHANUMERIC, message="Parcel at the door")
    await parley.message_in_state(item["messageId"], "delivered")
    assert await platform.texts(person) == ["Parcel at the door"]


async def test_an_opt_out_that_only_the_platform_knew_is_learnt(
    parley: Parley, platform: Platform, person: str
) -> None:
    """A 4007 report closes the ledger, also for a send that wanted no reports."""
    fate = "+15005554007"
    (item,) = await parley.send(fate, report=False)
    message = await parley.message_in_state(item["messageId"], "blocked")
    assert message["code"] == 4007
    await eventually(lambda: opted_out(parley, fate), "the report's opt-out stands in the ledger")
    (decision,) = await parley.optouts(fate)
    assert decision["entry"]["channel"] == "platformReport"
    (refused,) = await parley.send(fate)
    assert refused["errorMessage"] == BLOCKED
