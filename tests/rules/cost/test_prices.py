"""The price table: data with a date, refused with a sentence, and silent about what it lacks."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from shared.rules.cost.countries import country_of, known_countries
from shared.rules.cost.prices import PriceTable, own_prices, parse_prices
from shared.rules.senders import SenderKind

ROW = {"kind": "longCode", "country": "GB", "price": "0.04", "surcharge": "0"}
TABLE = {"currency": "EUR", "asOf": "2026-02-28", "rows": [ROW]}


def parsed(**members: Any) -> PriceTable:
    return parse_prices(json.dumps({**TABLE, **members}))


def refusal(text: str) -> str:
    with pytest.raises(ValueError, match=r".") as error:
        parse_prices(text)
    return str(error.value)


@pytest.mark.parametrize(
    ("country", "total"),
    [("US", Decimal("0.0100")), ("CA", Decimal("0.0160")), ("PR", None), ("GB", None)],
)
def test_own_table_holds_what_is_documented(country: str, total: Decimal | None) -> None:
    """Price and surcharge add up where both are documented, and nothing is made up elsewhere."""
    price = own_prices().price(SenderKind.TOLL_FREE, country)
    assert (price.total if price else None) == total


def test_own_table_says_how_old_it_is() -> None:
    """A reader sees the date and that the prices must be verified."""
    assert own_prices().as_of == date(2021, 11, 30)
    assert "verify before quoting" in own_prices().note


@pytest.mark.parametrize("kind", [kind for kind in SenderKind if kind is not SenderKind.TOLL_FREE])
def test_own_table_knows_no_other_kind(kind: SenderKind) -> None:
    """No price of another kind of sender is documented."""
    assert own_prices().price(kind, "US") is None


def test_operator_replaces_the_table() -> None:
    """Another table has its own currency, day and rows, and nothing of Parley's own."""
    table = parsed(note="our contract")
    assert (table.currency, table.as_of, table.note) == ("EUR", date(2026, 2, 28), "our contract")
    assert table.price(SenderKind.LONG_CODE, "GB") is not None
    assert table.price(SenderKind.TOLL_FREE, "US") is None


def test_amounts_are_exact() -> None:
    """Amounts are decimals from the text to the answer: a float would add 0.1 and 0.2 wrongly."""
    row = {**ROW, "price": "0.1", "surcharge": "0.2"}
    price = parsed(rows=[row]).price(SenderKind.LONG_CODE, "GB")
    assert price is not None
    assert price.total == Decimal("0.3")


@pytest.mark.parametrize(
    ("amount", "shown"),
    [("12.3400", "EUR 12.3400"), ("0.00000001", "EUR 0.00000001"), ("0", "EUR 0")],
)
def test_money_is_shown_with_its_currency(amount: str, shown: str) -> None:
    """An amount is never without its currency, and never in scientific notation."""
    assert parsed().money(Decimal(amount)) == shown


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"currency": None}, "currency must be"),
        ({"currency": "usd"}, "currency must be"),
        ({"currency": "US"}, "currency must be"),
        ({"asOf": None}, "asOf must be the day"),
        ({"asOf": "2026-02-30"}, "asOf must be the day"),
        ({"asOf": "20260228"}, "asOf must be the day"),
        ({"asOf": 2026}, "asOf must be the day"),
        ({"note": 7}, "note must be a text"),
        ({"note": "n" * 201}, "at most 200 characters"),
        ({"rows": None}, "rows must be a list"),
        ({"rows": []}, "at least one price"),
        ({"rows": {}}, "rows must be a list"),
        ({"rows": ["US"]}, "row 1 must be an object"),
        ({"rows": [ROW, ROW]}, "row 2: longCode to GB is listed twice"),
        ({"rows": [{**ROW, "kind": "landline"}]}, "row 1: kind must be one of tollFree"),
        ({"rows": [{**ROW, "kind": []}]}, "row 1: kind must be one of tollFree"),
        ({"rows": [{**ROW, "country": "gb"}]}, "row 1: country must be"),
        ({"rows": [{**ROW, "country": "GBR"}]}, "row 1: country must be"),
        ({"rows": [{**ROW, "price": 0.04}]}, "row 1: price must be a decimal in quotation marks"),
        ({"rows": [{**ROW, "price": None}]}, "row 1: price must be"),
        ({"rows": [{**ROW, "price": "-0.04"}]}, "row 1: price must be"),
        ({"rows": [{**ROW, "price": "1e3"}]}, "row 1: price must be"),
        ({"rows": [{**ROW, "price": "0,04"}]}, "row 1: price must be"),
        ({"rows": [{**ROW, "price": "\u0660.\u0664"}]}, "row 1: price must be"),
        (
            {"rows": [ROW, {**ROW, "country": "IE", "surcharge": "free"}]},
            "row 2: surcharge must be",
        ),
        ({"rows": [{**ROW, "cost": "1"}]}, "row 1: unknown member 'cost'"),
        ({"until": "2027-01-01"}, "unknown member 'until'"),
    ],
    ids=str,
)
def test_a_malformed_table_is_refused_by_name(members: dict[str, Any], words: str) -> None:
    """The sentence names the row and the member at fault."""
    assert words in refusal(json.dumps({**TABLE, **members}))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is not JSON"),
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "must be a JSON object"),
        ("NaN", "must be a JSON object"),
    ],
    ids=lambda text: text[:20],
)
def test_what_is_no_table_is_refused(text: str, words: str) -> None:
    """Other texts have a sentence too."""
    assert words in refusal(text)


@pytest.mark.parametrize(
    ("address", "country"),
    [
        ("+14255550123", "US"),
        ("+16135550123", "CA"),
        ("+17875550123", "PR"),
        ("+19395550123", "PR"),
        ("+12425550123", "BS"),
        ("+18005550100", "US"),
        ("+447400123456", "GB"),
        ("+821012345678", "KR"),
        ("+38344123456", "XK"),
        # Newer than the numbering data: by its area code, or unknown where countries share a code.
        ("+16245550123", "US"),
        ("+18795550123", "CA"),
        ("+447700900123", None),
        ("+80012345678", None),
        ("+99912345678", None),
        ("24680", None),
        ("CONTOSO", None),
    ],
)
def test_a_number_has_a_country(address: str, country: str | None) -> None:
    """The whole number decides: countries share +1, and some numbers belong to none."""
    assert country_of(address) == country
    assert country is None or country in known_countries()
