"""The price table: what a segment costs, by kind of sender and country of the recipient.

Prices change and differ by contract, so the table is data with a date, and an operator can put
another in its place:

    {"currency": "USD", "asOf": "2021-11-30", "note": "verify before quoting",
     "rows": [{"kind": "tollFree", "country": "US", "price": "0.0075", "surcharge": "0.0025"}]}

`price` is ACS's own for one segment, `surcharge` the carrier's; both are decimals in quotation
marks. A surcharge that is left out is unknown, and one that is not asked for is "0". What is not
in the table is unknown, never free.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from shared.rules.senders import SenderKind

_OWN: Final = Path(__file__).with_name("prices.json")
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_COUNTRY: Final = re.compile(r"[A-Z]{2}")
_AMOUNT: Final = re.compile(r"[0-9]{1,6}(?:\.[0-9]{1,8})?")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TOP: Final = frozenset({"currency", "asOf", "note", "rows"})
_ROW: Final = frozenset({"kind", "country", "price", "surcharge"})
_LONGEST_NOTE: Final = 200


@dataclass(frozen=True, slots=True)
class Price:
    """What one segment costs.

    Attributes:
        price: ACS's own.
        surcharge: the carrier's; None where it is not known.
    """

    price: Decimal
    surcharge: Decimal | None

    @property
    def total(self) -> Decimal | None:
        """Both together; None where one is not known."""
        return None if self.surcharge is None else self.price + self.surcharge


@dataclass(frozen=True, slots=True)
class PriceTable:
    """Prices of one currency and one day.

    Attributes:
        currency: ISO 4217.
        as_of: the day from which they are.
        note: for whoever reads a cost; may be empty.
        rows: by kind of sender and ISO 3166 code of the recipient's country.
    """

    currency: str
    as_of: date
    note: str
    rows: Mapping[tuple[SenderKind, str], Price]

    def price(self, kind: SenderKind, country: str) -> Price | None:
        """The price of a segment, or None if it is not known."""
        return self.rows.get((kind, country))

    def money(self, amount: Decimal) -> str:
        """An amount as people read it: `USD 12.3400`."""
        return f"{self.currency} {amount:f}"


@cache
def own_prices() -> PriceTable:
    """Parley's own table: no more than ACS documents, with its date."""
    return parse_prices(_OWN.read_text(encoding="utf-8"))


def parse_prices(text: str) -> PriceTable:
    """A price table from JSON.

    Raises:
        ValueError: with a sentence that names the entry and the member at fault.
    """
    try:
        # A number is kept as it is written, so that the refusal can show it.
        table = json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"is not JSON ({error})") from None
    if not isinstance(table, dict):
        raise ValueError("must be a JSON object with currency, asOf and rows")  # noqa: TRY004  # one error type for one table
    _refuse_unknown("", table, _TOP)
    currency = table.get("currency")
    if not isinstance(currency, str) or not _CURRENCY.fullmatch(currency):
        raise ValueError("currency must be an ISO 4217 code of three capital letters, such as USD")
    note = table.get("note", "")
    if not isinstance(note, str) or len(note) > _LONGEST_NOTE:
        raise ValueError(f"note must be a text of at most {_LONGEST_NOTE} characters")
    return PriceTable(
        currency, _date(table.get("asOf")), note, MappingProxyType(_rows(table.get("rows")))
    )


def _date(value: Any) -> date:
    try:
        if isinstance(value, str) and _DATE.fullmatch(value):
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise ValueError("asOf must be the day from which the prices are, such as 2021-11-30")


def _rows(entries: Any) -> dict[tuple[SenderKind, str], Price]:
    if not isinstance(entries, list) or not entries:
        raise ValueError("rows must be a list with at least one price")
    rows: dict[tuple[SenderKind, str], Price] = {}
    for index, entry in enumerate(entries):
        where = f"row {index + 1}"
        if not isinstance(entry, dict):
            raise ValueError(f"{where} must be an object")  # noqa: TRY004  # as above
        _refuse_unknown(f"{where}: ", entry, _ROW)
        key = _kind(where, entry.get("kind")), _country(where, entry.get("country"))
        if key in rows:
            raise ValueError(f"{where}: {key[0]} to {key[1]} is listed twice")
        surcharge = entry.get("surcharge")
        rows[key] = Price(
            _amount(where, "price", entry.get("price")),
            None if surcharge is None else _amount(where, "surcharge", surcharge),
        )
    return rows


def _refuse_unknown(where: str, entry: Mapping[str, Any], known: frozenset[str]) -> None:
    if unknown := sorted(entry.keys() - known):
        raise ValueError(f"{where}unknown member {unknown[0]!r}; known are {sorted(known)}")


def _kind(where: str, value: Any) -> SenderKind:
    try:
        return SenderKind(value)
    except ValueError:
        raise ValueError(
            f"{where}: kind must be one of {', '.join(SenderKind)}, not {value!r}"
        ) from None


def _country(where: str, value: Any) -> str:
    if not isinstance(value, str) or not _COUNTRY.fullmatch(value):
        raise ValueError(
            f"{where}: country must be an ISO 3166 code of two capital letters, such as US"
        )
    return value


def _amount(where: str, member: str, value: Any) -> Decimal:
    if not isinstance(value, str) or not _AMOUNT.fullmatch(value):
        raise ValueError(
            f"{where}: {member} must be a decimal in quotation marks, such as"
            f' "0.0075", not {value!r}'
        )
    return Decimal(value)
