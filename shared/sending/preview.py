"""What a send would come to, without sending: cost, costly characters, who would not be texted.

Takes the body of a send and reads it by the same rules, so that what passes here passes there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared.base.clock import Clock, iso
from shared.base.tasks import every
from shared.limits import Guards
from shared.messages.request import Asked, SendRequest
from shared.optouts import Ledger
from shared.rules import segments
from shared.rules.addresses import read_recipient
from shared.rules.recipient_warnings import RecipientWarnings
from shared.rules.segments import Measure
from shared.rules.senders import Sender
from shared.rules.text_warnings import find_warnings
from shared.rules.timing.when import check_not_past
from shared.sending.decisions import BLOCKED
from shared.sending.timetable import Timetable, Wait
from shared.settings import Settings

if TYPE_CHECKING:
    from shared.rules.cost.estimate import Saving


@dataclass(frozen=True, slots=True)
class _Seen:
    """One entry of the request, as it stands now.

    Attributes:
        asked: the entry.
        refusal: why it would not be sent, or None.
        sequence: the ledger's change that closes the address.
        wait: until when it would wait.
    """

    asked: Asked
    refusal: str | None
    sequence: int | None
    wait: Wait | None


class Preview:
    """Answers what a send would come to.

    Args:
        clock: the time.
        settings: senders and prices.
        ledger: who has opted out.
        guards: who may not be texted for other reasons.
        timetable: who would wait.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        settings: Settings,
        ledger: Ledger,
        guards: Guards,
        timetable: Timetable,
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._ledger = ledger
        self._guards = guards
        self._timetable = timetable

    async def preview_of(self, request: SendRequest) -> dict[str, Any]:
        """The preview of a request, as the interface shows it. Sends and reserves nothing.

        Raises:
            InvalidRequest: its `sendAt` has passed.
            LedgerUnavailable: who is blocked cannot be said.
        """
        from shared.rules.cost.estimate import estimate, saving  # noqa: PLC0415  # no other path needs it
        from shared.rules.cost.prices import own_prices  # noqa: PLC0415

        now = self._clock()
        check_not_past(request.send_at, now)
        await self._ledger.news()
        waits = self._timetable.waits(request, request.send_at or now)
        seen = [self._seen(request, asked, waits) for asked in request.asked]
        sequences = list(dict.fromkeys(s.sequence for s in seen if s.sequence is not None))
        entries = await every(*(self._ledger.entry(sequence) for sequence in sequences))
        why = dict(zip(sequences, entries, strict=True))

        measure = segments.measure(request.message)
        people = list(dict.fromkeys(s.asked.address for s in seen if s.refusal is None))
        reached = [address for address in people if address is not None]
        sender = self._settings.senders[request.sender]
        prices = self._settings.prices or own_prices()
        saved = saving(sender, request.message, reached, prices)
        return {
            **_measured(measure),
            "totalSegments": measure.segments * len(reached),
            "cost": estimate(sender, measure.segments, reached, prices).shown(),
            "withStandIns": _with_stand_ins(request.message, measure, saved),
            "warnings": [
                {"code": str(found.code), "message": found.message, "position": found.position}
                for found in find_warnings(
                    request.message, sender, category=request.category, first=True
                )
            ]
            + _about(sender, reached),
            "recipients": [_shown(s, why.get(s.sequence or 0)) for s in seen],
        }

    def _seen(self, request: SendRequest, asked: Asked, waits: dict[str, Wait]) -> _Seen:
        if asked.address is None:
            return _Seen(asked, asked.refusal, None, None)
        sequence = self._ledger.closed_by(asked.address, request.sender)
        if sequence is not None:
            return _Seen(asked, BLOCKED, sequence, None)
        return _Seen(
            asked,
            self._guards.refusal(asked.address, request.sender),
            None,
            waits.get(asked.address),
        )


def _about(sender: Sender, addresses: list[str]) -> list[dict[str, Any]]:
    """The warnings about those who would be texted."""
    from shared.rules.reach import is_out_of_reach  # noqa: PLC0415  # brings phonenumbers

    found = RecipientWarnings()
    for address in addresses:
        found.add(
            range_known=read_recipient(address).range_known,
            out_of_reach=is_out_of_reach(sender, address),
        )
    return found.shown()


def _measured(measure: Measure) -> dict[str, Any]:
    return {
        "encoding": str(measure.encoding),
        "segments": measure.segments,
        "units": measure.units,
        "unitsPerSegment": measure.units_per_segment,
        "costlyCharacters": [
            {
                "character": costly.character,
                "codePoint": " ".join(f"U+{ord(c):04X}" for c in costly.character),
                "position": costly.position,
                "count": costly.count,
                "standIn": costly.stand_in,
            }
            for costly in measure.costly
        ],
    }


def _with_stand_ins(text: str, measure: Measure, saved: Saving | None) -> dict[str, Any] | None:
    if not measure.costly:
        return None
    plain = segments.in_gsm7(text)
    if plain == text:
        return None
    plain_measure = segments.measure(plain)
    shown = saved.shown() if saved is not None else {}
    return {
        "message": plain,
        "encoding": str(plain_measure.encoding),
        "segments": plain_measure.segments,
        "totalSegmentsSaved": shown.get("totalSegmentsSaved", 0),
        "saved": shown.get("saved"),
    }


def _shown(seen: _Seen, blocked_by: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "to": seen.asked.to,
        "address": seen.asked.address,
        "wouldSend": seen.refusal is None,
        "errorMessage": seen.refusal,
        "blockedBy": blocked_by,
        "waitsUntil": iso(seen.wait.until) if seen.wait is not None else None,
        "waitsWhy": seen.wait.why if seen.wait is not None else None,
    }
