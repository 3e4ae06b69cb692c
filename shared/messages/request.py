"""A send as it was asked for: what the intent keeps and everything later goes by."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.rules.categories import ONE_TIME_CODE
from shared.rules.timing.windows import Window


@dataclass(frozen=True, slots=True)
class Asked:
    """One entry of `smsRecipients`.

    Attributes:
        to: as the caller wrote it.
        address: E.164, or None where the entry is refused.
        repeat_id: the caller's `repeatabilityRequestId`, lower case.
        first_sent: its `repeatabilityFirstSent`.
        refusal: why this entry alone is refused with 400.
        rejected: whether the refusal is about the repeatability members.
    """

    to: str
    address: str | None
    repeat_id: str | None = None
    first_sent: datetime | None = None
    refusal: str | None = None
    rejected: bool = False


@dataclass(frozen=True, slots=True)
class SendRequest:
    """A send that makes sense as a whole.

    Attributes:
        sender: the configured sender's address.
        message: the text; empty once it has been taken out of the record.
        asked: the entries in the caller's order; some may be refused, some may repeat others.
        tag: the application's tag; empty where it gave none.
        wants_report: whether the application asked for delivery reports.
        report_timeout_seconds: after which ACS gives up waiting for a report.
        category: marketing, transactional, oneTimeCode, or None.
        send_at: when it is to leave; None for now.
        time_to_live: for how long after that it is still worth sending; None for ever.
        zone: the IANA zone in which the recipients are, where the caller knows it.
        digest: HMAC with the id key over the operation and the request's meaning, hex.
        expires_at: after which it is not worth sending, where no time to live says so.
        window: hours in which it may leave at the recipient's place, beside quiet hours.
        campaign: the campaign that it is a part of.
        ignored: wishes that ACS, as it is spoken to, cannot be told of; by their full names.
        ordered_at: when what it is a part of was ordered; None where it was asked for by itself.
    """

    sender: str
    message: str
    asked: tuple[Asked, ...]
    tag: str
    wants_report: bool
    report_timeout_seconds: int | None
    category: str | None
    digest: str
    send_at: datetime | None = None
    time_to_live: timedelta | None = None
    zone: str | None = None
    expires_at: datetime | None = None
    window: Window | None = None
    campaign: str | None = None
    ignored: tuple[str, ...] = ()
    ordered_at: datetime | None = None

    @property
    def shown(self) -> str | None:
        """The text for whoever reads about it; None for a one-time code, which nobody is shown."""
        return None if self.category == ONE_TIME_CODE else self.message

    @property
    def is_blank(self) -> bool:
        """Whether its text was taken out of the record, so that it cannot be sent any more."""
        return not self.message

    def expiry(self, start: datetime) -> datetime | None:
        """After which it is not worth sending, if it is to leave at `start`."""
        if self.time_to_live is not None:
            return start + self.time_to_live
        return self.expires_at

    def addresses(self) -> list[str]:
        """Who may be texted, each once, in the order of first mention."""
        return list(dict.fromkeys(a.address for a in self.asked if a.address is not None))

    def repeat_ids(self) -> dict[str, str]:
        """The application's repeatability id of each address; the first one where it gave two."""
        ids: dict[str, str] = {}
        for asked in self.asked:
            if asked.address is not None and asked.repeat_id is not None:
                ids.setdefault(asked.address, asked.repeat_id)
        return ids
