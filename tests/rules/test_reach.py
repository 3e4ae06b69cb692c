"""Reach: whom a kind of sender can text at all."""

import json

import pytest

from shared.rules.reach import is_out_of_reach, why_out_of_reach
from shared.rules.senders import Sender, parse_senders

TOLL_FREE = {"sender": "+18005550100"}
SHORT_CODE = {"sender": "24680"}
BRITISH_CODE = {"sender": "24680", "country": "gb"}


def made(members: dict[str, str]) -> Sender:
    (sender,) = parse_senders(json.dumps([members])).values()
    return sender


@pytest.mark.parametrize(
    ("members", "address", "out"),
    [
        (TOLL_FREE, "+14255550123", False),
        (TOLL_FREE, "+16135550123", False),
        (TOLL_FREE, "+17875550123", False),
        (TOLL_FREE, "+12425550123", True),
        (TOLL_FREE, "+33612345678", True),
        (TOLL_FREE, "+15005550001", False),
        (TOLL_FREE, "+16245550123", False),
        (SHORT_CODE, "+14255550123", False),
        (SHORT_CODE, "+17875550123", False),
        (SHORT_CODE, "+16135550123", True),
        (SHORT_CODE, "+447400123456", True),
        (BRITISH_CODE, "+447400123456", False),
        (BRITISH_CODE, "+447700900123", False),
        (BRITISH_CODE, "+14255550123", True),
        (BRITISH_CODE, "+33612345678", True),
        ({"sender": "+12065550100"}, "+33612345678", False),
        ({"sender": "CONTOSO"}, "+14255550123", False),
    ],
)
def test_a_kind_reaches_its_countries(members: dict[str, str], address: str, *, out: bool) -> None:
    """Toll-free numbers three countries, short codes their own; of others ACS names no limit."""
    assert is_out_of_reach(made(members), address) is out


def test_the_sentence_names_the_countries() -> None:
    """Who is refused reads whom the sender reaches."""
    assert "CA, PR, US" in why_out_of_reach(made(TOLL_FREE))
