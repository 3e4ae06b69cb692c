"""Lists as programs export them, with invented people: what is texted, and what is asked.

Each file under tests/data/exports has the columns, line ends, encoding and oddities of its program;
docs/interface.md lists them.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from shared.base.errors import InvalidRequest
from shared.campaigns.list_reader import HEAD, ListRow, Told, rows, sniff
from shared.campaigns.templates import CannotFill, fill, parse
from shared.rules.addresses import BadAddress, recipient

ROOT = Path(__file__).parents[2]
EXPORTS = ROOT / "tests" / "data" / "exports"


class Export(NamedTuple):
    """What is read of one export.

    Attributes:
        texts: number to text.
        message: what is filled.
        told: what the order has to say, and does not without being asked.
    """

    message: str
    texts: dict[str, str]
    told: Told = Told()
    asked: str | None = None


READ = {
    "google-contacts.csv": Export(
        "Hi {First Name}",
        {"+14255550123": "Hi Ann", "+34612345678": "Hi Jos\u00e9", "+821012345678": "Hi Kim"},
    ),
    "outlook.csv": Export(
        "Hi {First Name}",
        {"+14255550123": "Hi Ann", "+34612345678": "Hi Jos\u00e9", "+14255550124": "Hi Zo\u00eb"},
        Told(encoding="windows-1252"),
        asked="list.encoding",
    ),
    "excel-csv-utf8.csv": Export(
        "{Kunde}: {Betrag} EUR bis {F\u00e4llig}",
        {
            "+4915123456789": "J\u00fcrgen Contoso: 10,50 EUR bis 01.12.2026",
            "+4915123456780": "K\u00e4the Fabrikam: 1.200,00 EUR bis 02.12.2026",
        },
    ),
    "excel-csv.csv": Export(
        "{Kunde}, {Ort}",
        {
            "+4915123456789": "J\u00fcrgen Contoso, K\u00f6ln",
            "+4915123456780": "Anna Fabrikam, D\u00fcsseldorf",
        },
        Told(encoding="windows-1252"),
        asked="list.encoding",
    ),
    "excel-unicode-text.tsv": Export(
        "{name}", {"+14255550123": "Ann Contoso", "+34612345678": "Jos\u00e9 Fabrikam"}
    ),
    "excel-sep-line.csv": Export(
        "{name}", {"+14255550123": "Ann Contoso", "+14255550124": "Bob Fabrikam"}
    ),
    "shopify-customers.csv": Export(
        "{First Name} spent {Total Spent}",
        {"+14255550123": "Ann spent 10.50", "+34612345678": "Jos\u00e9 spent 1200.00"},
    ),
    "hubspot-contacts.csv": Export(
        "{First Name}", {"+14255550123": "Ann", "+34612345678": "Jos\u00e9"}
    ),
    "salesforce-report.csv": Export(
        "{Salutation} {Last Name}",
        {"+14255550123": "Ms. Contoso", "+34612345678": "Mr. Fabrikam"},
        Told("Mobile"),
        asked="numberColumn",
    ),
    "apple-numbers.csv": Export(
        "{Name}: Tisch {Tisch}",
        {
            "+4915123456789": "J\u00fcrgen Contoso: Tisch 1",
            "+33612345678": "Zo\u00eb Fabrikam: Tisch 2",
        },
    ),
    "mailchimp-sms.csv": Export(
        "{First Name}", {"+14255550123": "Ann", "+34612345678": "Jos\u00e9"}
    ),
}


def _texts(data: bytes, export: Export) -> dict[str, str]:
    template = parse(export.message)
    found = {}
    for row in rows([data], sniff(data[:HEAD], export.told)):
        if isinstance(row, ListRow):
            try:
                found[recipient(row.number)] = fill(template, row.fields)
            except (BadAddress, CannotFill):
                continue
    return found


def test_each_export_is_tried() -> None:
    """No file lies there unread."""
    assert {path.name for path in EXPORTS.iterdir()} == set(READ)


@pytest.mark.parametrize("name", READ)
def test_an_export_is_texted_as_its_owner_means_it(name: str) -> None:
    """Everybody whose number stands there, with their own values, and nobody else."""
    assert _texts((EXPORTS / name).read_bytes(), READ[name]) == READ[name].texts


@pytest.mark.parametrize("name", READ)
def test_what_cannot_be_known_is_asked(name: str) -> None:
    """A column among two, an encoding that looks like others: the order must name it."""
    data, export = (EXPORTS / name).read_bytes(), READ[name]
    if export.asked is None:
        assert sniff(data[:HEAD]).number
        return
    with pytest.raises(InvalidRequest) as refused:
        sniff(data[:HEAD])
    assert list(refused.value.errors) == [export.asked]


def test_each_export_is_listed() -> None:
    """Who wonders whether their program's export is read finds it."""
    interface = (ROOT / "docs" / "interface.md").read_text(encoding="utf-8")
    assert [name for name in READ if f"`{name}`" not in interface] == []
