"""The client of Azure Communication Services: thin, and exact about what it does not know.

Microsoft's Python client makes a fresh repeatability id in every call and drops the service's
`repeatabilityResult`; a retried function could not be made safe with it. This one sends the ids it
is given, keeps them through its retries, and tells apart three ends of a call: answered, refused
for certain, and no answer.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from azure.core import AsyncPipelineClient
from azure.core.exceptions import AzureError
from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import (
    AsyncBearerTokenCredentialPolicy,
    AsyncRetryPolicy,
    CustomHookPolicy,
    HeadersPolicy,
    RequestIdPolicy,
    SansIOHTTPPolicy,
    UserAgentPolicy,
)
from azure.core.pipeline.transport import AsyncHttpTransport
from azure.core.rest import AsyncHttpResponse, HttpRequest

from shared import access
from shared.addresses import BadAddress, normal
from shared.clock import Clock, http_date
from shared.errors import AnswerMissing, PlatformRefused, Throttled

SCOPE: Final = "https://communication.azure.com//.default"
# The first stable api-version that knows `deliveryReportTimeoutInSeconds`.
REPORT_TIMEOUT_SINCE: Final = "2024-02-05"
_ACCEPTED: Final = 202
_TOO_MANY: Final = 429
_SERVER_ERROR: Final = 500
_REQUEST_TIMEOUT: Final = 408
_DEFAULT_PAUSE: Final = 10
_LONGEST_PAUSE: Final = 3600
_DETAIL_LENGTH: Final = 300


@dataclass(frozen=True, slots=True)
class AcsRecipient:
    """One recipient of a send, with the ids that make every attempt the same attempt."""

    address: str
    repeatability_id: str
    first_sent: datetime


@dataclass(frozen=True, slots=True)
class AcsItem:
    """What ACS said of one recipient."""

    message_id: str | None
    status: int
    successful: bool
    error: str | None


class AcsClient:
    """Sends texts through one ACS resource.

    Args:
        endpoint: of the resource, without a trailing slash.
        credential: its access key, or an async token credential.
        api_version: to speak.
        transport: azure-core's async transport.
        clock: for signatures.
    """

    def __init__(
        self,
        endpoint: str,
        credential: bytes | Any,
        *,
        api_version: str,
        transport: AsyncHttpTransport[Any, Any],
        clock: Clock,
    ) -> None:
        self._api_version = api_version
        authentication = (
            _HmacPolicy(credential, clock)
            if isinstance(credential, bytes)
            else AsyncBearerTokenCredentialPolicy(credential, SCOPE)
        )
        self._client: AsyncPipelineClient[HttpRequest, AsyncHttpResponse] = AsyncPipelineClient(
            endpoint,
            policies=[
                RequestIdPolicy(),
                HeadersPolicy({"Accept": "application/json"}),
                UserAgentPolicy("parley"),
                CustomHookPolicy(),
                _Retry(retry_total=2, retry_backoff_factor=0.4, retry_backoff_max=4),
                authentication,
            ],
            transport=transport,
        )

    @property
    def knows_report_timeout(self) -> bool:
        """Whether the api-version in use has `deliveryReportTimeoutInSeconds`."""
        return self._api_version >= REPORT_TIMEOUT_SINCE

    async def send(
        self,
        *,
        sender: str,
        message: str,
        recipients: Sequence[AcsRecipient],
        tag: str,
        report_timeout_seconds: int | None,
        timeout_seconds: float,
    ) -> dict[str, AcsItem]:
        """Send one text; what ACS said, by address. Who is missing in it got no answer.

        Delivery reports are always asked for: an opt-out that ACS alone knows of would stay
        invisible without.

        Raises:
            Throttled: ACS asked for a pause and no earlier try of this call is in doubt.
            PlatformRefused: ACS refused the whole request; nothing was sent.
            AnswerMissing: it is not known whether anything was sent.
        """
        options: dict[str, Any] = {"enableDeliveryReport": True, "tag": tag}
        if report_timeout_seconds is not None:
            options["deliveryReportTimeoutInSeconds"] = report_timeout_seconds
        body = {
            "from": sender,
            "smsRecipients": [
                {
                    "to": recipient.address,
                    "repeatabilityRequestId": recipient.repeatability_id,
                    "repeatabilityFirstSent": http_date(recipient.first_sent),
                }
                for recipient in recipients
            ],
            "message": message,
            "smsSendOptions": options,
        }
        response, doubt = await self._post("/sms", body, timeout_seconds)
        if response.status_code == _ACCEPTED:
            return _items(response)
        if response.status_code == _TOO_MANY and not doubt:
            raise Throttled(_pause(response))
        if doubt or _leaves_doubt(response.status_code):
            raise AnswerMissing(f"Azure Communication Services answered {response.status_code}.")
        raise PlatformRefused(response.status_code, _detail(response))

    async def _post(
        self, path: str, body: Mapping[str, Any], timeout_seconds: float
    ) -> tuple[AsyncHttpResponse, bool]:
        request = HttpRequest(
            "POST",
            path,
            params={"api-version": self._api_version},
            headers={"Content-Type": "application/json"},
            content=json.dumps(body, separators=(",", ":")).encode(),
        )
        request.url = self._client.format_url(request.url)
        doubt = False

        def note_earlier_tries(response: PipelineResponse[Any, Any]) -> None:
            nonlocal doubt
            doubt = bool(response.context.get("history"))

        try:
            async with asyncio.timeout(timeout_seconds):
                response = await self._client.send_request(
                    request,
                    raw_response_hook=note_earlier_tries,
                    connection_timeout=5,
                    read_timeout=timeout_seconds,
                )
        except TimeoutError:
            raise AnswerMissing(
                f"Azure Communication Services did not answer within {timeout_seconds:.0f} s."
            ) from None
        except AzureError as error:
            raise AnswerMissing(
                f"Azure Communication Services could not be reached ({type(error).__name__})."
            ) from error
        return response, doubt


class _Retry(AsyncRetryPolicy[HttpRequest, AsyncHttpResponse]):
    """Retries what may be repeated with the same ids; passes 429 on, for the caller to wait."""

    def is_retry(self, settings: dict[str, Any], response: PipelineResponse[Any, Any]) -> bool:
        if response.http_response.status_code == _TOO_MANY:
            return False
        return bool(super().is_retry(settings, response))


class _HmacPolicy(SansIOHTTPPolicy[HttpRequest, AsyncHttpResponse]):
    """Signs with the resource's access key; stands behind the retries, so each try is signed."""

    def __init__(self, key: bytes, clock: Clock) -> None:
        self._key = key
        self._clock = clock

    def on_request(self, request: PipelineRequest[HttpRequest]) -> None:
        http = request.http_request
        parts = urlsplit(http.url)
        body = http.content if isinstance(http.content, bytes) else b""
        http.headers.update(
            access.signed_headers(
                self._key,
                method=http.method,
                target=f"{parts.path}?{parts.query}",
                host=parts.netloc,
                body=body,
                now=self._clock(),
            )
        )


def _leaves_doubt(status: int) -> bool:
    # A 2xx other than 202, a redirect, a time-out on their side, any 5xx: it may have been sent.
    return not 400 <= status < _SERVER_ERROR or status == _REQUEST_TIMEOUT  # noqa: PLR2004


def _items(response: AsyncHttpResponse) -> dict[str, AcsItem]:
    try:
        value = json.loads(response.content)["value"]
        found: dict[str, AcsItem] = {}
        for item in value:
            read = _item(item)
            if read is not None:
                found.setdefault(*read)
    except (ValueError, KeyError, TypeError):
        raise AnswerMissing("Azure Communication Services answered what is no answer.") from None
    if not found:
        raise AnswerMissing("Azure Communication Services answered for none of the recipients.")
    return found


def _item(item: Any) -> tuple[str, AcsItem] | None:
    try:
        status, successful = item["httpStatusCode"], item["successful"]
        if not isinstance(status, int) or not isinstance(successful, bool):
            return None
        message_id, error = item.get("messageId"), item.get("errorMessage")
        return normal(item["to"]), AcsItem(
            message_id if isinstance(message_id, str) else None,
            status,
            successful,
            error if isinstance(error, str) else None,
        )
    except (KeyError, TypeError, AttributeError, BadAddress):
        return None


def _pause(response: AsyncHttpResponse) -> int:
    text = response.headers.get("Retry-After", "")
    if text.isascii() and text.isdigit():
        return max(1, min(int(text), _LONGEST_PAUSE))
    return _DEFAULT_PAUSE


def _detail(response: AsyncHttpResponse) -> str:
    """What an error body says, in either of ACS's two shapes, cut to a bearable length."""
    try:
        body = json.loads(response.content)
    except ValueError:
        return "without a reason that could be read"
    if isinstance(body, dict):
        error = body.get("error")
        if isinstance(error, dict):
            said = f"{error.get('code', '')} {error.get('message', '')}".strip()
        else:
            said = json.dumps(body.get("errors", body.get("title", "")), ensure_ascii=False)
        return said[:_DETAIL_LENGTH]
    return "without a reason that could be read"
