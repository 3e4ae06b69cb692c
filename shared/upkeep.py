"""What has to be done by the clock: counts, tables made before they are needed, old rows gone."""

from __future__ import annotations

from datetime import datetime, timedelta

from shared.analytics.timer import CountingTimer
from shared.azure.tables import Tables
from shared.base import log
from shared.base.clock import Clock
from shared.base.errors import Unavailable
from shared.base.tasks import every
from shared.campaigns.retention import Retention
from shared.erasure import ErasureRoom
from shared.limits import Guards
from shared.messages.one_time_codes import CodeBlanking
from shared.optouts.halt import Halts
from shared.sending.follow_up import FollowUp
from shared.sending.idempotency import IdempotencyKeys


class Upkeep:
    """The work of each minute and of each day.

    Args:
        guards: whose counts grow old.
        retention: what campaigns leave behind.
        timer: that counts, each minute; and whose marks grow old.
        halts: whose witness moves on, each minute.
        keys: of which some are over.
        codes: whose texts are over.
        follow_up: writes entries of conversations that were left, each minute.
        erasure: goes on with erasures, each minute; and drops old messages.
    """

    def __init__(
        self,
        tables: Tables,
        clock: Clock,
        *,
        guards: Guards,
        retention: Retention,
        timer: CountingTimer,
        keys: IdempotencyKeys,
        codes: CodeBlanking,
        halts: Halts,
        follow_up: FollowUp,
        erasure: ErasureRoom,
    ) -> None:
        self._erasure = erasure
        self._keys = keys
        self._codes = codes
        self._halts = halts
        self._follow_up = follow_up
        self._retention = retention
        self._guards = guards
        self._timer = timer
        self._tables = tables
        self._clock = clock

    async def every_minute(self) -> None:
        """Have the ledger's witness say how far the log is; then count, and write what was left.

        Whatever is wrong with the ledger, what has happened is counted.
        """
        try:
            await self._halts.move_witness()
        except Unavailable as error:
            # The next minute tries again; a halt has been told of already.
            log.trouble("ledger.witness_not_moved", code=error.code)
        await every(
            self._timer.run(),
            self._follow_up.write_old_entries(),
            self._erasure.erasures.run(),
        )

    async def daily(self) -> None:
        """Make the tables of this month and the next; forget codes, keys, counts, old campaigns.

        A table that is missing all the same is made by the first write to it; this only spares
        that write the detour.
        """
        now = self._clock()
        # Each is done whatever becomes of the others.
        codes, keys, forgotten, marks, dropped, *_ = await every(
            self._codes.blank(now),
            self._keys.forget(now),
            self._retention.forget(now),
            self._timer.drop_old_marks(),
            self._erasure.retention.drop_old(now),
            self._guards.forget(now),
            self._make_tables(now),
        )
        log.event(
            "upkeep.daily",
            codes=codes,
            keys=keys,
            campaigns=forgotten.campaigns,
            lists=forgotten.lists,
            people=forgotten.people,
            droppedMarks=marks,
            droppedMonths=dropped.months,
            droppedEntries=dropped.entries,
            droppedAside=dropped.aside,
        )

    async def _make_tables(self, now: datetime) -> None:
        next_month = now.replace(day=1) + timedelta(days=32)
        for table in (f"messages{now:%Y%m}", f"messages{next_month:%Y%m}"):
            await self._tables.make_table(table)
