"""Who may be texted when: the quiet hours that marketing keeps.

Only marketing waits, and what brings a window of its own, as a campaign can. Reminders, alerts and
sign-in codes are asked for by the person they go to.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from typing import Final

from shared.base.errors import InvalidRequest
from shared.messages.request import SendRequest
from shared.rules.timing.quiet import Allowed, QuietHours, built_in_rules, next_allowed
from shared.rules.timing.windows import Window, narrowed
from shared.rules.timing.zones import zones_of

MARKETING: Final = "marketing"
_ROUNDS: Final = 8


@dataclass(frozen=True, slots=True)
class Wait:
    """Until when somebody's text waits.

    Attributes:
        until: the moment at which it may leave.
        why: a sentence for its history; names no number.
    """

    until: datetime
    why: str


class Timetable:
    """Applies quiet hours.

    Args:
        rules: the windows; None for the built-in ones.
    """

    def __init__(self, rules: QuietHours | None) -> None:
        self._given = rules

    @property
    def _rules(self) -> QuietHours:
        return self._given or built_in_rules()

    def waits(self, request: SendRequest, start: datetime) -> dict[str, Wait]:
        """Who of a request's recipients may not be texted at `start`, and until when.

        Raises:
            InvalidRequest: a recipient's window does not open within eight days.
        """
        if not _keeps_hours(request):
            return {}
        waits: dict[str, Wait] = {}
        for address in request.addresses():
            allowed = self._allowed(request, address, start)
            if allowed.delay is not None:
                waits[address] = Wait(allowed.at, str(allowed.delay))
        return waits

    def allowed_for_all(
        self, request: SendRequest, addresses: Iterable[str], moment: datetime
    ) -> datetime:
        """The first moment from `moment` on at which all of `addresses` may be texted at once.

        Raises:
            InvalidRequest: there is none within eight days.
        """
        if not _keeps_hours(request):
            return moment
        people = list(addresses)
        for _ in range(_ROUNDS):
            latest = max(
                (self._allowed(request, address, moment).at for address in people), default=moment
            )
            if latest == moment:
                return moment
            moment = latest
        raise InvalidRequest.of("smsRecipients", "Their quiet hours leave no common moment.")

    def next_moment(self, request: SendRequest, address: str, moment: datetime) -> Allowed | None:
        """When somebody may be texted; None if that is not within eight days."""
        window = self._window(request, address)
        if window is None:
            return None
        zones = (request.zone,) if request.zone is not None else zones_of(address)
        return next_allowed(moment, zones, window)

    def _window(self, request: SendRequest, address: str) -> Window | None:
        windows = []
        if request.category == MARKETING:
            windows.append(self._rules.window_for(address))
        if request.window is not None:
            windows.append(request.window)
        try:
            return reduce(narrowed, windows)
        except ValueError:
            return None

    def _allowed(self, request: SendRequest, address: str, moment: datetime) -> Allowed:
        allowed = self.next_moment(request, address, moment)
        if allowed is None:
            raise InvalidRequest.of(
                "smsRecipients", "The quiet hours at a recipient's place leave no time to text."
            )
        return allowed


def _keeps_hours(request: SendRequest) -> bool:
    return request.category == MARKETING or request.window is not None
