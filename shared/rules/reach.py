"""Whom a sender can reach: ACS accepts texts beyond it, charges them, and nothing arrives.

Toll-free numbers reach the United States, Canada and Puerto Rico, short codes their own country
(docs/platform.md 5.2). Of the other kinds ACS names no limit, and so nothing is said of them.
"""

from __future__ import annotations

from typing import Final

from shared.rules.cost.countries import country_of
from shared.rules.senders import Sender, SenderKind
from shared.rules.timing.zones import NORTH_AMERICA, area_codes

_NORTH_AMERICAN: Final = frozenset({"US", "CA", "PR"})
_KINDS: Final = {SenderKind.TOLL_FREE: "A toll-free number", SenderKind.SHORT_CODE: "A short code"}


def is_out_of_reach(sender: Sender, address: str) -> bool:
    """Whether a text of this sender cannot arrive at an E.164 number.

    Where the number's country is not known, it may be within reach. Fast for lists: most numbers
    need no look into the numbering data.
    """
    reaches = sender.reaches
    if reaches is None:
        return False
    if address.startswith(NORTH_AMERICA):
        place = area_codes().get(address[2:5])
        return place is not None and place.partition("-")[0] not in reaches
    if reaches <= _NORTH_AMERICAN:
        return True
    country = country_of(address)
    return country is not None and country not in reaches


def why_out_of_reach(sender: Sender) -> str:
    """The sentence for somebody whom a sender does not reach."""
    countries = ", ".join(sorted(sender.reaches or ()))
    return (
        f"{_KINDS.get(sender.kind, 'This sender')} reaches {countries} alone; ACS would take the"
        " text, and it would not arrive."
    )
