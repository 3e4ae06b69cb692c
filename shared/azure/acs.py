"""The client of Azure Communication Services: thin, and exact about what it does not know.

Microsoft's Python client makes a fresh repeatability id in every call and drops the service's
`repeatabilityResult`; a retried function could not be made safe with it. This one sends the ids it
is given, keeps them through its retries, and tells apart four ends of a call: answered, refused
for what is in it, refused for whom we are, and no answer.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from azure.core import AsyncPipelineClient
from azure.core.exceptions import AzureError, ClientAuthenticationError
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

from shared.azure import signatures
from shared.azure.identity import Identity
from shared.base.clock import Clock, http_date
from shared.base.errors import (
    AnswerMissing,
    NoToken,
    PlatformDenied,
    PlatformRefused,
    Throttled,
)
from shared.base.json_body import is_deep
from shared.rules.addresses import BadAddress, normal

SCOPE: Final = "https://communication.azure.com//.default"
# From when on api-versions know `deliveryReportTimeoutInSeconds`, stable ones and previews; stable
# ones before know a `validityPeriodSeconds` or neither
# (Azure/azure-rest-api-specs, specification/communication/data-plane/Sms).
_REPORT_TIMEOUT_SINCE: Final = "2025-09-17"
_REPORT_TIMEOUT_SINCE_PREVIEW: Final = "2024-02-05"
_DATE_LENGTH: Final = len("2025-09-17")
# What ACS answers when it does not accept our identity, our role or our endpoint, or does not know
# the sender as ours.
_DENIALS: Final = frozenset({401, 403, 404})
# For how long a denial is taken to hold, without asking again.
DENIAL_HOLDS: Final = timedelta(seconds=10)
# Less time than this is not worth a second try.
_LEAST_PATIENCE: Final = 1.0
# Asked of no text at all, in the only api-version that has reports to ask for.
_NO_REPORT: Final = "/deliveryReports/00000000-0000-0000-0000-000000000000"
_REPORTS_VERSION: Final = "2026-01-23"
_ACCEPTED: Final = 202
_TOO_MANY: Final = 429
_SERVER_ERROR: Final = 500
_REQUEST_TIMEOUT: Final = 408
_DEFAULT_PAUSE: Final = 10
_LONGEST_PAUSE: Final = 3600
_DETAIL_LENGTH: Final = 300
# In the context of a call: that a token was shown in one of its tries.
_SHOWN: Final = "parley_token_shown"
_MOST_REASONS: Final = 20


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
        credential: its access key, or the identity whose tokens it takes. Where ACS denies us, the
            second try has a fresh one.
        api_version: to speak.
        transport: azure-core's async transport.
        clock: for signatures, and for how long a denial holds.
    """

    def __init__(
        self,
        endpoint: str,
        credential: bytes | Identity,
        *,
        api_version: str,
        transport: AsyncHttpTransport[Any, Any],
        clock: Clock,
    ) -> None:
        self._api_version = api_version
        self._clock = clock
        self._denied: dict[str, tuple[datetime, int, str]] = {}
        authentication = self._authentication = (
            _HmacPolicy(credential, clock)
            if isinstance(credential, bytes)
            else _TokenPolicy(credential)
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
        return knows_report_timeout(self._api_version)

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
            PlatformRefused: ACS refused the whole request for what is in it; nothing was sent.
            PlatformDenied: ACS does not accept us, or denied us a moment ago, or there is no token
                to show (`NoToken`); nothing was sent.
            AnswerMissing: it is not known whether anything was sent.
        """
        self._check_denied(sender)
        options: dict[str, Any] = {"enableDeliveryReport": True, "tag": tag}
        # What was accepted under another api-version must not be refused for it now.
        if report_timeout_seconds is not None and self.knows_report_timeout:
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
        response, doubt = await self._ask(body, timeout_seconds)
        if response.status_code == _ACCEPTED:
            return _items(response)
        if response.status_code == _TOO_MANY and not doubt:
            raise Throttled(_pause(response))
        if doubt or _leaves_doubt(response.status_code):
            raise AnswerMissing(f"Azure Communication Services answered {response.status_code}.")
        reasons = _reasons(response)
        if response.status_code in _DENIALS:
            said = "; ".join(f"{m}: {r}" if m else r for m, rs in reasons.items() for r in rs)
            self._denied[sender] = self._clock(), response.status_code, said
            raise PlatformDenied(response.status_code, said)
        raise PlatformRefused(response.status_code, reasons)

    def _check_denied(self, sender: str) -> None:
        # By sender: one that the resource does not own must not stop the others.
        if (denied := self._denied.get(sender)) is None:
            return
        at, status, said = denied
        if timedelta(0) <= self._clock() - at < DENIAL_HOLDS:
            raise PlatformDenied(status, said)
        del self._denied[sender]

    async def _ask(
        self, body: Mapping[str, Any], timeout_seconds: float
    ) -> tuple[AsyncHttpResponse, bool]:
        """ACS's answer, and whether an earlier try of the call is in doubt.

        Where ACS denies us, it is asked once more with a fresh token: a role works some minutes
        after it was given, and single denials of good requests have been seen
        (Azure/azure-sdk-for-js#21941, #31523).
        """
        began = asyncio.get_running_loop().time()
        response, doubt = await self._post("/sms", body, timeout_seconds)
        left = timeout_seconds - (asyncio.get_running_loop().time() - began)
        if doubt or response.status_code not in _DENIALS or left < _LEAST_PATIENCE:
            return response, doubt
        try:
            async with asyncio.timeout(left):
                await self._authentication.renew(response.request.headers.get("Authorization"))
        except (AzureError, TimeoutError):
            return response, doubt
        left = timeout_seconds - (asyncio.get_running_loop().time() - began)
        if left < _LEAST_PATIENCE:
            return response, doubt
        return await self._post("/sms", body, left)

    async def status_of_no_report(self) -> int:
        """The status with which ACS answers for the report of a text that nobody sent.

        404 where network, key and role are right. It is asked once: no answer is worth a second.

        Raises:
            AzureError: ACS did not answer.
        """
        request = HttpRequest("GET", _NO_REPORT, params={"api-version": _REPORTS_VERSION})
        request.url = self._client.format_url(request.url)
        response = await self._client.send_request(
            request, retry_total=0, connection_timeout=5, read_timeout=5
        )
        return int(response.status_code)

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
            ) from None
        return response, doubt


class _Retry(AsyncRetryPolicy[HttpRequest, AsyncHttpResponse]):
    """Retries what may be repeated with the same ids; passes 429 on, for the caller to wait."""

    def is_retry(self, settings: dict[str, Any], response: PipelineResponse[Any, Any]) -> bool:
        if response.http_response.status_code == _TOO_MANY:
            return False
        return bool(super().is_retry(settings, response))


class _TokenPolicy(AsyncBearerTokenCredentialPolicy[HttpRequest, AsyncHttpResponse]):
    """Shows a token, which can be exchanged before its time."""

    def __init__(self, identity: Identity) -> None:
        super().__init__(identity, SCOPE)
        self._identity = identity

    async def send(
        self, request: PipelineRequest[HttpRequest]
    ) -> PipelineResponse[HttpRequest, AsyncHttpResponse]:
        """Show the token, and keep it whatever the answer is.

        The base class would forget it at every 401: also the one that another request has had
        renewed while this one was under way.
        """
        try:
            await self.on_request(request)
        except ClientAuthenticationError as error:
            # An earlier try of the same call may have sent.
            if _SHOWN in request.context:
                raise
            raise NoToken(str(error.message)) from None
        request.context[_SHOWN] = True
        return await self.next.send(request)

    async def renew(self, refused: str | None) -> None:
        """Have another token shown than the one of this `Authorization` header.

        However many were refused with it, one asks for another.
        """
        if self._token is None or f"Bearer {self._token.token}" == refused:
            self._token = await self._identity.fresh_token(SCOPE)


class _HmacPolicy(SansIOHTTPPolicy[HttpRequest, AsyncHttpResponse]):
    """Signs with the resource's access key; stands behind the retries, so each try is signed."""

    def __init__(self, key: bytes, clock: Clock) -> None:
        self._key = key
        self._clock = clock

    async def renew(self, refused: str | None) -> None:
        """A key cannot be renewed; the next signature is a new one anyhow."""

    def on_request(self, request: PipelineRequest[HttpRequest]) -> None:
        http = request.http_request
        parts = urlsplit(http.url)
        body = http.content if isinstance(http.content, bytes) else b""
        http.headers.update(
            signatures.signed_headers(
                self._key,
                method=http.method,
                target=f"{parts.path}?{parts.query}",
                host=parts.netloc,
                body=body,
                now=self._clock(),
            )
        )


def knows_report_timeout(api_version: str) -> bool:
    """Whether an api-version has `deliveryReportTimeoutInSeconds`; a preview by its own list."""
    date, preview = api_version[:_DATE_LENGTH], api_version[_DATE_LENGTH:]
    return date >= (_REPORT_TIMEOUT_SINCE_PREVIEW if preview else _REPORT_TIMEOUT_SINCE)


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
    except (ValueError, KeyError, TypeError, RecursionError):
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


def _reasons(response: AsyncHttpResponse) -> dict[str, list[str]]:
    """What an error body says, by the member it says it of; in any shape that ACS has used."""
    try:
        body = json.loads(response.content)
    except (ValueError, RecursionError):
        body = None
    if isinstance(body, dict) and not is_deep(body):
        error = body.get("error")
        if isinstance(error, dict):
            said = f"{error.get('code') or ''} {error.get('message') or ''}".strip()
            return {"": [_short(said) or "no reason was given"]}
        # In 2022 a body was seen that had nothing but the members at fault.
        for members in (body.get("errors"), body):
            if found := _by_member(members):
                return found
        if isinstance(body.get("title"), str):
            return {"": [_short(body["title"])]}
    start = response.content[:_DETAIL_LENGTH].decode("utf-8", "replace")
    return {"": [_short(start) or "no reason was given"]}


def _by_member(errors: Any) -> dict[str, list[str]]:
    """Members to their reasons; empty where this is something else."""
    if not isinstance(errors, dict):
        return {}
    return {
        member[:_DETAIL_LENGTH]: [_short(str(reason)) for reason in reasons[:_MOST_REASONS]]
        for member, reasons in list(errors.items())[:_MOST_REASONS]
        if isinstance(reasons, list)
    }


def _short(text: str) -> str:
    return " ".join(text.split())[:_DETAIL_LENGTH]


MAX_RECIPIENTS: Final = 100
