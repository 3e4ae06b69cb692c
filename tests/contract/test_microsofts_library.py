"""Microsoft's `azure-communication-sms` against Parley: a changed endpoint is all it takes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from azure.communication.sms import SmsClient, SmsSendResult
from azure.communication.sms.aio import SmsClient as AsyncSmsClient
from azure.core.credentials import AccessToken, AzureKeyCredential
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
)
from azure.core.pipeline.transport import RequestsTransport

from tests.support.client import TOLL_FREE, Parley, Platform
from tests.support.people import People

BLOCKED = "Sender blocked for given recipient."
FOREIGN_KEY = "Zm9yZWlnbi1mb3JlaWduLWZvcmVpZ24tZm9yZWlnbi0="
slashes = pytest.mark.parametrize("end", ["", "/"], ids=["bare", "slash"])


@contextmanager
def sms_client(endpoint: str, key: str, **options: Any) -> Iterator[SmsClient]:
    """The library's client; its connections are closed, which it does not offer itself."""
    with RequestsTransport() as transport:
        yield SmsClient(endpoint, AzureKeyCredential(key), transport=transport, **options)


async def send(
    parley: Parley, *args: Any, end: str = "", key: str | None = None, **named: Any
) -> list[SmsSendResult]:
    """One `send` of the synchronous client, off the event loop."""

    def work() -> list[SmsSendResult]:
        with sms_client(parley.endpoint + end, key or parley.access_keys[0]) as client:
            # The library's decorator hides `self` from a type checker.
            return list(client.send(*args, **named))  # type: ignore[misc]

    return await asyncio.to_thread(work)


async def send_async(
    parley: Parley, *args: Any, end: str = "", key: str | None = None, **named: Any
) -> list[SmsSendResult]:
    """One `send` of the asynchronous client."""
    credential = AzureKeyCredential(key or parley.access_keys[0])
    async with AsyncSmsClient(parley.endpoint + end, credential) as client:
        return list(await client.send(*args, **named))


both = pytest.mark.parametrize("call", [send, send_async], ids=["sync", "aio"])


@both
@slashes
async def test_one_recipient(
    call: Callable[..., Any], end: str, parley: Parley, platform: Platform, person: str
) -> None:
    """The library sends to one person, whether or not the endpoint ends with a slash."""
    (result,) = await call(parley, TOLL_FREE, person, "Grüße\nfrom Contoso", end=end)
    assert (result.to, result.successful, result.http_status_code) == (person, True, 202)
    assert result.error_message is None
    await parley.message_in_state(result.message_id, "delivered")
    assert await platform.texts(person) == ["Grüße\nfrom Contoso"]


@both
async def test_a_list_of_recipients_with_options(
    call: Callable[..., Any], parley: Parley, platform: Platform, people: People
) -> None:
    """A list is answered item by item in its order; tag and report option come through."""
    numbers = people.many(3)
    to = [numbers[0], "+1425", numbers[1], numbers[2]]
    results = await call(
        parley, TOLL_FREE, to, "Hello", enable_delivery_report=True, tag="campaign-7"
    )
    assert [result.to for result in results] == to
    assert [result.http_status_code for result in results] == [202, 400, 202, 202]
    assert results[1].error_message.startswith("Invalid To phone number format.")
    assert results[1].message_id is None
    for result in results:
        if result.successful:
            event = await platform.relayed_event(
                "Parley.SMSDeliveryReportReceived", messageId=result.message_id
            )
            assert event["data"]["tag"] == "campaign-7"


@both
async def test_the_second_key_opens_too(
    call: Callable[..., Any], parley: Parley, person: str
) -> None:
    """Either access key may be used, so that the other can be replaced."""
    (result,) = await call(parley, TOLL_FREE, person, "Hello", key=parley.access_keys[1])
    assert result.successful


@both
async def test_an_opted_out_recipient_is_told(
    call: Callable[..., Any], parley: Parley, person: str
) -> None:
    """A blocked recipient's item says so in ACS's own words; no exception is raised."""
    body = {"from": TOLL_FREE, "recipients": [{"to": person}]}
    assert (await parley.signed("POST", "/sms/optouts:add", body)).status == 200
    (result,) = await call(parley, TOLL_FREE, person, "Hello")
    assert (result.successful, result.error_message) == (False, BLOCKED)


@both
async def test_a_retry_inside_the_library_meets_the_first_attempt(
    call: Callable[..., Any], parley: Parley, platform: Platform, person: str
) -> None:
    """The 503 of a lost answer is retried by the library itself: one text, one message."""
    # Once for the call and once for each of Parley's own retries.
    await platform.order_fault("send", "acceptThenServerError", number=person, times=3)
    (result,) = await call(parley, TOLL_FREE, person, "Once only")
    assert result.successful
    await parley.message_in_state(result.message_id, "delivered")
    assert [text["text"] for text in await platform.accepted(person)] == ["Once only"]
    assert len(await parley.conversation(TOLL_FREE, person)) == 1


@both
async def test_a_wrong_key_is_an_authentication_error(
    call: Callable[..., Any], parley: Parley, person: str
) -> None:
    """401 becomes `ClientAuthenticationError`."""
    with pytest.raises(ClientAuthenticationError):
        await call(parley, TOLL_FREE, person, "Hello", key=FOREIGN_KEY)


@both
async def test_a_foreign_sender_is_an_authentication_error(
    call: Callable[..., Any], parley: Parley, person: str
) -> None:
    """As at ACS, a sender of somebody else is a matter of authorisation."""
    with pytest.raises(ClientAuthenticationError):
        await call(parley, "+18005550199", person, "Hello")


@both
@pytest.mark.parametrize(
    ("to", "message", "said"),
    [([], "Hello", "SmsRecipients"), (["+14255550123"], "x" * 2049, "Message")],
    ids=["no recipient", "too long"],
)
async def test_a_senseless_request_is_a_response_error(
    call: Callable[..., Any], to: list[str], message: str, said: str, parley: Parley
) -> None:
    """400 becomes `HttpResponseError`, whose body names the member."""
    with pytest.raises(HttpResponseError) as caught:
        await call(parley, TOLL_FREE, to, message)
    assert caught.value.status_code == 400
    assert caught.value.response is not None
    assert said in caught.value.response.text()


@both
async def test_throttling_reaches_the_caller(
    call: Callable[..., Any], parley: Parley, platform: Platform, person: str
) -> None:
    """ACS's 429 is passed on; the library waits as long as it says, and then the text goes out."""
    await platform.order_fault("send", "throttle", number=person, retryAfter=1)
    (result,) = await call(parley, TOLL_FREE, person, "After a pause")
    assert result.successful
    assert [text["text"] for text in await platform.accepted(person)] == ["After a pause"]


class FixedToken:
    """An Entra credential that always has the same token."""

    def get_token(self, *_scopes: str, **_named: Any) -> AccessToken:
        return AccessToken("header.payload.signature", 4_102_444_800)


async def test_a_token_never_leaves_over_plain_http(parley: Parley, person: str) -> None:
    """The library itself refuses to show an Entra token to a plain-http endpoint."""

    def work() -> None:
        with RequestsTransport() as transport:
            client = SmsClient(parley.endpoint, FixedToken(), transport=transport)
            client.send(TOLL_FREE, person, "Hello")  # type: ignore[misc]

    with pytest.raises(ServiceRequestError, match="non-TLS"):
        await asyncio.to_thread(work)
