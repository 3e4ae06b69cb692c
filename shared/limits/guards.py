"""All guards together: who may not be texted now, and what is given back."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from shared.azure.tables import Tables
from shared.base.tasks import every
from shared.limits import budgets
from shared.limits.budgets import Budgets
from shared.limits.floods import Floods
from shared.rules.limit_settings import FloodLimits, OutOfReach
from shared.rules.senders import Programs, Sender
from shared.settings import Settings

if TYPE_CHECKING:
    from shared.messages.request import SendRequest


class Countries:
    """Holds the countries that may be texted.

    Args:
        allowed: ISO 3166 codes; none allows all.
    """

    def __init__(self, allowed: Collection[str]) -> None:
        self._allowed = allowed

    def applies(self, request: SendRequest) -> bool:  # noqa: ARG002  # as the other guards have it
        """Whether countries are limited; it costs no storage operation in any case."""
        return bool(self._allowed)

    def refusal(self, address: str) -> str | None:
        """Why an E.164 number may not be texted, or None if it may."""
        if not self._allowed:
            return None
        from shared.rules.cost.countries import country_of  # noqa: PLC0415  # brings phonenumbers

        country = country_of(address)
        if country in self._allowed:
            return None
        where = f"of this number ({country})" if country else "of this number is not known, and it"
        return f"The country {where} is not among those that may be texted from here."


class Reach:
    """Refuses texts that cannot arrive, if an operator wants that.

    Args:
        senders: with their kinds.
        refuses: the setting.
    """

    def __init__(self, senders: Mapping[str, Sender], *, refuses: bool) -> None:
        self._senders = senders
        self._refuses = refuses

    def applies(self, request: SendRequest) -> bool:
        """Whether the sender's reach is limited; it costs no storage operation in any case."""
        sender = self._senders.get(request.sender)
        return self._refuses and sender is not None and sender.reaches is not None

    def refusal(self, address: str, sender: str) -> str | None:
        """Why an E.164 number may not be texted by a sender, or None if it may."""
        known = self._senders.get(sender)
        if not self._refuses or known is None or known.reaches is None:
            return None
        from shared.rules.reach import is_out_of_reach, why_out_of_reach  # noqa: PLC0415  # brings phonenumbers

        return why_out_of_reach(known) if is_out_of_reach(known, address) else None


class Guards:
    """What stands between the ledger's news and ACS.

    `admit` says who may not be texted and reserves for the rest; what then certainly was not sent
    is given back by `release`. A send that may have been sent gives nothing back.

    Args:
        settings: the limits, and the key of the hashes.
    """

    def __init__(self, settings: Settings, tables: Tables) -> None:
        self._tables = tables
        self._countries = Countries(settings.allowed_countries)
        self._reach = Reach(settings.senders, refuses=settings.out_of_reach is OutOfReach.REFUSE)
        self._budgets = Budgets(
            tables, settings.id_key, Programs(settings.senders), settings.daily_budgets or {}
        )
        self._floods = Floods(tables, settings.id_key, settings.flood_limits or FloodLimits())

    def applies(self, request: SendRequest) -> bool:
        """Whether any guard has something to say of the request; if not, `admit` costs nothing."""
        return any(
            guard.applies(request)
            for guard in (self._countries, self._reach, self._floods, self._budgets)
        )

    def refusal(self, address: str, sender: str) -> str | None:
        """Why an E.164 number may never be texted by a sender; None if it may, as far as known."""
        return self._countries.refusal(address) or self._reach.refusal(address, sender)

    async def admit(
        self,
        request: SendRequest,
        send_id: str,
        addresses: Sequence[str],
        segments: int,
        now: datetime,
    ) -> dict[str, str]:
        """Reserve a text for each address, and say who may not have one.

        A repeat finds what its earlier attempt reserved, and counts nothing twice. For that it has
        to bring the same `send_id` and the same `now`. Nothing is ever admitted beyond a limit;
        what a crash leaves reserved stays reserved.

        Costs no storage operation where no limit applies; for a budget one read and one
        transaction, for one-time codes two reads and one transaction for each range of numbers.

        Args:
            request: for its sender and category.
            send_id: of the send.
            addresses: E.164, whom the ledger lets through.
            segments: that the text needs, for each of them.
            now: when the send was first attempted; its UTC day is the one whose budget it uses.

        Returns:
            address to reason, for those who may not be texted. A reason is a sentence for the
            application; it holds no number.

        Raises:
            StorageDown: limits cannot be counted; nothing may be sent. Repeating is safe.
        """
        refused = {a: why for a in addresses if (why := self.refusal(a, request.sender))}
        left = [address for address in addresses if address not in refused]
        codes = self._floods.applies(request)
        if left and codes:
            refused |= await self._floods.reserve(send_id, left, now)
            left = [address for address in left if address not in refused]
        if left and self._budgets.applies(request):
            over = await self._budgets.reserve(request, send_id, left, segments, now)
            refused |= over
            if over and codes:
                await self._floods.give_back(send_id, over, now)
        return refused

    async def release(
        self, request: SendRequest, send_id: str, unsent: Collection[str], now: datetime
    ) -> None:
        """Give back what `admit` reserved for texts that certainly were not sent.

        For whom nothing is reserved, nothing happens: doing it again is harmless. A text that ACS
        may have taken must not be among them.

        Args:
            request: as for `admit`.
            send_id: as for `admit`.
            unsent: to whom nothing was sent: ACS refused them, or the whole request.
            now: as for `admit`.

        Raises:
            StorageDown: it may stay reserved. Repeating is safe.
        """
        if not unsent:
            return
        work = []
        if self._floods.applies(request):
            work.append(self._floods.give_back(send_id, unsent, now))
        if self._budgets.applies(request):
            work.append(self._budgets.give_back(request, send_id, unsent, now))
        await every(*work)

    async def budget_left(self, request: SendRequest, now: datetime) -> int | None:
        """Segments that the program may still send today, for previews; None without a budget."""
        if not self._budgets.applies(request):
            return None
        return await self._budgets.left(request, now)

    async def forget(self, now: datetime) -> None:
        """The daily work: drop what no limit looks at any more."""
        for table in budgets.forgotten(await self._tables.tables(budgets.PREFIX), now):
            await self._tables.drop_table(table)
        await self._floods.sweep(now)
