"""Analytics: exact counts for each minute, hour and day, made from the facts and from them alone.

A minute's counts are a pure fold over that minute's facts; an hour is the sum of its minutes, a day
the sum of its hours. So they can be thrown away and made again at any time, and come out the same
to the byte.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

from shared.analytics.api import AnalyticsApi
from shared.analytics.minute import Tariff
from shared.analytics.timer import CountingTimer, FactIndex
from shared.messages.parts import Parts
from shared.settings import Settings

__all__ = ["AnalyticsRoom", "wire"]


@dataclass(frozen=True, slots=True)
class AnalyticsRoom:
    """Counting, and asking for counts.

    Attributes:
        timer: counts, once a minute.
        api: for the interface.
    """

    timer: CountingTimer
    api: AnalyticsApi


def wire(parts: Parts, *, indexes: Sequence[FactIndex]) -> AnalyticsRoom:
    """The room, wired.

    Args:
        parts: shared ones.
        indexes: other folds over the same facts.
    """
    timer = CountingTimer(
        clock=parts.clock,
        tables=parts.tables,
        record=parts.record,
        ledger=parts.ledger,
        id_key=parts.id_key,
        tariff=functools.cache(functools.partial(_tariff, parts.settings)),
        indexes=indexes,
    )
    return AnalyticsRoom(
        timer=timer,
        api=AnalyticsApi(
            clock=parts.clock, tables=parts.tables, timer=timer, programs=parts.programs
        ),
    )


def _tariff(settings: Settings) -> Tariff:
    # Made with the first fold: no send needs them.
    from shared.rules.cost.countries import country_of  # noqa: PLC0415
    from shared.rules.cost.prices import own_prices  # noqa: PLC0415

    return Tariff(settings.senders, settings.prices or own_prices(), country_of)
