"""What a send or a campaign will cost, as far as the price table knows; never a guess.

A sum that leaves something out would be read as the whole. So a cost is None as soon as one part of
it is unknown; the parts that are known are summed apart, as what it costs at least.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from shared.rules.cost.countries import country_of
from shared.rules.cost.prices import Price, PriceTable
from shared.rules.segments import in_gsm7, measure
from shared.rules.senders import Sender, SenderKind


@dataclass(frozen=True, slots=True)
class Part:
    """What the recipients of one country cost.

    Attributes:
        country: ISO 3166; None for numbers of no known country.
        recipients: how many.
        segments: of all of them together.
        cost: of all of them together; None where it is not known.
        at_least: what is known of the cost; None where nothing is.
        unknown: what is not known, one sentence; None where all is.
    """

    country: str | None
    recipients: int
    segments: int
    cost: Decimal | None
    at_least: Decimal | None
    unknown: str | None


@dataclass(frozen=True, slots=True)
class Estimate:
    """What it costs.

    Attributes:
        prices: the table that was asked.
        parts: by country, the most segments first.
    """

    prices: PriceTable
    parts: tuple[Part, ...]

    @property
    def segments(self) -> int:
        """Of all recipients together."""
        return sum(part.segments for part in self.parts)

    @property
    def cost(self) -> Decimal | None:
        """The whole cost; None if any part of it is unknown."""
        costs = [part.cost for part in self.parts if part.cost is not None]
        return sum(costs, Decimal(0)) if len(costs) == len(self.parts) else None

    @property
    def at_least(self) -> Decimal | None:
        """What is known of the cost; None if nothing is."""
        known = [part.at_least for part in self.parts if part.at_least is not None]
        return sum(known, Decimal(0)) if known or not self.parts else None

    @property
    def unknown(self) -> tuple[str, ...]:
        """What is not known, a sentence for each country."""
        return tuple(part.unknown for part in self.parts if part.unknown is not None)

    def shown(self) -> dict[str, Any]:
        """As the interface shows it: amounts are texts with their currency, or null."""
        return {
            "pricesAsOf": self.prices.as_of.isoformat(),
            "note": self.prices.note or None,
            "segments": self.segments,
            "cost": self._money(self.cost),
            "atLeast": self._money(self.at_least),
            "unknown": list(self.unknown),
            "countries": [
                {
                    "country": part.country,
                    "recipients": part.recipients,
                    "segments": part.segments,
                    "cost": self._money(part.cost),
                    "atLeast": self._money(part.at_least),
                    "unknown": part.unknown,
                }
                for part in self.parts
            ],
        }

    def _money(self, amount: Decimal | None) -> str | None:
        return None if amount is None else self.prices.money(amount)


class CostTally:
    """Counts recipients and segments by country; its size does not depend on the list's."""

    def __init__(self) -> None:
        self._recipients: Counter[str | None] = Counter()
        self._segments: Counter[str | None] = Counter()

    def add_text(self, address: str, segments: int) -> None:
        """One recipient (E.164), whose text needs so many segments."""
        country = country_of(address)
        self._recipients[country] += 1
        self._segments[country] += segments

    def estimate(self, sender: Sender, prices: PriceTable) -> Estimate:
        """What all that was counted costs from this sender."""
        return _estimate(sender, self._recipients, self._segments, prices)


@dataclass(frozen=True, slots=True)
class Saving:
    """What the stand-ins of `shared.rules.segments` would save.

    Attributes:
        message: the text with stand-ins.
        segments: of one text as it is.
        segments_with_stand_ins: of one text with stand-ins; fewer.
        before: what the text costs as it is.
        after: what it costs with stand-ins.
    """

    message: str
    segments: int
    segments_with_stand_ins: int
    before: Estimate
    after: Estimate

    @property
    def saved(self) -> Decimal | None:
        """The money saved; None where one of the two costs is not known."""
        before, after = self.before.cost, self.after.cost
        return None if before is None or after is None else before - after

    def shown(self) -> dict[str, Any]:
        """As the interface shows it."""
        saved = self.saved
        return {
            "message": self.message,
            "segments": self.segments,
            "segmentsWithStandIns": self.segments_with_stand_ins,
            "totalSegmentsSaved": self.before.segments - self.after.segments,
            "saved": None if saved is None else self.before.prices.money(saved),
        }


def estimate(
    sender: Sender, segments: int, addresses: Iterable[str], prices: PriceTable
) -> Estimate:
    """What one text of so many segments costs to all of these people.

    Args:
        sender: whose kind decides the price.
        segments: of the text, for each recipient.
        addresses: E.164.
        prices: the table.
    """
    recipients = Counter(map(country_of, addresses))
    return _estimate(sender, recipients, _times(recipients, segments), prices)


def saving(
    sender: Sender, message: str, addresses: Iterable[str], prices: PriceTable
) -> Saving | None:
    """What writing the text in GSM-7 would save; None if it needs no fewer segments then."""
    plain = in_gsm7(message)
    segments, fewer = measure(message).segments, measure(plain).segments
    if fewer >= segments:
        return None
    recipients = Counter(map(country_of, addresses))
    before, after = (
        _estimate(sender, recipients, _times(recipients, count), prices)
        for count in (segments, fewer)
    )
    return Saving(plain, segments, fewer, before, after)


def _times(recipients: Counter[str | None], segments: int) -> Counter[str | None]:
    return Counter({country: count * segments for country, count in recipients.items()})


def _estimate(
    sender: Sender,
    recipients: Counter[str | None],
    segments: Counter[str | None],
    prices: PriceTable,
) -> Estimate:
    return Estimate(
        prices,
        tuple(
            _part(sender.kind, country, recipients[country], count, prices)
            for country, count in segments.most_common()
        ),
    )


def _part(
    kind: SenderKind, country: str | None, recipients: int, segments: int, prices: PriceTable
) -> Part:
    price = None if country is None else prices.price(kind, country)
    total = None if price is None else price.total
    return Part(
        country,
        recipients,
        segments,
        cost=None if total is None else total * segments,
        at_least=None if price is None else (price.price if total is None else total) * segments,
        unknown=_unknown(kind, country, price),
    )


def _unknown(kind: SenderKind, country: str | None, price: Price | None) -> str | None:
    if country is None:
        return "The country of some numbers is not known, and so their price is not."
    if price is None:
        return f"The price of a {kind} text to {country} is not in the price table."
    if price.surcharge is None:
        return f"The carrier's surcharge on a {kind} text to {country} is not in the price table."
    return None
