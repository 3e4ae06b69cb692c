"""Warnings before sending: each rule by what it catches and by what it must leave alone."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.rules.invisible import prints_nothing
from shared.rules.senders import Sender, parse_senders
from shared.rules.text_warnings import (
    SHORTENERS,
    WAYS_OUT,
    Finding,
    WarningCode,
    WayOut,
    find_warnings,
)

TOLL_FREE, SHORT_CODE, ALPHANUMERIC = "+18005550100", "24680", "CONTOSO"
FINE = "Contoso: 20% off today. Reply STOP to opt out."


def sender(address: str = TOLL_FREE, brand: str = "Contoso") -> Sender:
    return parse_senders(json.dumps([{"sender": address, "brand": brand}]))[address]


def found(
    text: str,
    *,
    address: str = TOLL_FREE,
    brand: str = "Contoso",
    category: str | None = "marketing",
    first: bool = True,
) -> list[Finding]:
    return find_warnings(text, sender(address, brand), category=category, first=first)


def codes(text: str, address: str = TOLL_FREE, brand: str = "Contoso") -> set[WarningCode]:
    return {one.code for one in found(text, address=address, brand=brand)}


def places(text: str, code: WarningCode) -> list[int | None]:
    return [one.position for one in found(text) if one.code is code]


def test_a_good_text_has_no_warnings() -> None:
    """Brand, way out, no link of others: nothing to say."""
    assert found(FINE) == []


@pytest.mark.parametrize("host", sorted(SHORTENERS))
def test_every_shortener_that_acs_names_is_found(host: str) -> None:
    """Each of the list is found as a link's host."""
    assert places(f"Look: https://{host}/a1 now", WarningCode.SHORTENER) == [6]


@pytest.mark.parametrize(
    ("text", "positions"),
    [
        ("bit.ly/abc", [0]),
        ("See bit.ly/abc.", [4]),
        ("See BIT.LY/abc", [4]),
        ("See Http://Bit.Ly/abc", [4]),
        ("(https://bit.ly)", [1]),
        ("go to bit.ly.", [6]),
        ("go to bit.ly, now", [6]),
        ("www.bit.ly/x", [0]),
        ("https://user:secret@bit.ly/x", [0]),
        ("bit.ly:443/x", [0]),
        ("bit.ly?x=1 and tinyurl.com/y", [0, 15]),
        ("link:bit.ly/x", [5]),
        ("\u70b9\u51fbbit.ly/x", [2]),
        ("bit.ly\u70b9\u51fb", [0]),
        ("Seehttps://bit.ly/x", [3]),
        ("mybit.ly.example", []),
        ("mybit.ly", []),
        ("my-bit.ly", []),
        ("bit.ly.example/x", []),
        ("bit.lyx", []),
        ("bit.ly_x", []),
        ("\u00e9bit.ly", []),
        ("bit.ly\u00e9", []),
        ("https://contoso.com/bit.ly/x", []),
        ("contoso.com/?u=bit.ly", []),
        ("https://bit.ly@contoso.com/x", []),
        ("news@bit.ly", []),
        ("bit.ly@contoso.com", []),
        ("a bit. ly", []),
        ("rabbit.lyrics", []),
    ],
)
def test_a_shortener_is_a_host_and_nothing_else(text: str, positions: list[int]) -> None:
    """It counts as the host of a link, written anyhow; never as a part of a word, host or path."""
    assert places(text, WarningCode.SHORTENER) == positions


@pytest.mark.parametrize(
    ("text", "brand", "named"),
    [
        ("Contoso: sale", "Contoso", True),
        ("CONTOSO's sale", "Contoso", True),
        ("sale (contoso)", "Contoso", True),
        ("sale at contoso\u00a0 shoes", "Contoso Shoes", True),
        ("Contoso\uc5d0\uc11c \uc138\uc77c", "Contoso", True),
        ("\ucf58\ud1a0\uc18c\uc5d0\uc11c", "\ucf58\ud1a0\uc18c", True),
        ("no place like home", "Ace", False),
        ("our place: Ace", "Ace", True),
        ("sale", "Contoso", False),
        ("Contososale", "Contoso", False),
        ("sale", "", False),
    ],
)
def test_the_first_marketing_text_names_the_brand(text: str, brand: str, *, named: bool) -> None:
    """The brand of the sender's setting stands in the text as a word of its own."""
    assert (WarningCode.NO_BRAND not in codes(text, brand=brand)) is named


@pytest.mark.parametrize(
    ("address", "brand", "warned"),
    [("CONTOSO", "Contoso", False), ("CONTOSO", "", False), ("CONTOSO", "Fabrikam", True)],
)
def test_an_alphanumeric_sender_can_be_the_brand(address: str, brand: str, *, warned: bool) -> None:
    """Where the handset shows the brand as the sender, the text need not say it again."""
    assert (WarningCode.NO_BRAND in codes("sale", address=address, brand=brand)) is warned


@pytest.mark.parametrize(
    "text",
    [
        "Reply STOP to opt out",
        "STOP to end",
        "Text stop to leave",
        "txt 'stop' to leave",
        "Reply with stop",
        "To leave, say \u201cstop\u201d",
        "Reply END to leave",
        "Send cancel",
        "Unsubscribe: contoso.com/u",
        "Opt-out anytime",
        "SALE TODAY ONLY, REPLY STOP",
        "R\u00e9pondez ARRET",
        "Envoyez STOP",
    ],
)
def test_a_way_out_is_seen(text: str) -> None:
    """Capitals, quotation marks or an invitation to reply make a word a way out."""
    assert not codes(text) & {WarningCode.NO_WAY_OUT, WarningCode.UNREAD_WAY_OUT}


@pytest.mark.parametrize(
    "text",
    [
        "Sale",
        "Don't stop now, it never ends",
        "Non-stop savings",
        "Season END sale",
        "Free to CANCEL",
        "Stopover deals, UNSTOPPABLE",
        "THE SALE DOES NOT STOP TODAY",
    ],
)
def test_a_word_in_passing_is_no_way_out(text: str) -> None:
    """The same words in a sentence offer nothing."""
    assert WarningCode.NO_WAY_OUT in codes(text)


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("Responde BAJA para salir", 9),
        ("\ubb34\ub8cc \uc218\uc2e0\uac70\ubd80 0801234567", 3),
        ("\u0130 \u0130 Antworte ABMELDEN", 13),
    ],
)
def test_a_way_out_must_lead_somewhere(text: str, position: int) -> None:
    """A word that Parley's own keywords lack is offered in vain, unless STOP stands beside it."""
    assert places(text, WarningCode.UNREAD_WAY_OUT) == [position]
    assert WarningCode.UNREAD_WAY_OUT not in codes(text + " STOP")


@pytest.mark.parametrize("way", WAYS_OUT, ids=lambda way: way.word)
def test_every_way_out_is_recognised(way: WayOut) -> None:
    """Each word of the table is found where a text invites to reply with it."""
    assert WarningCode.NO_WAY_OUT not in codes(f"Reply {way.word} to leave")


@pytest.mark.parametrize(
    ("text", "warned"),
    [
        ("Sale", True),
        ("Sale, reply STOP", True),
        ("Sale until 2026-11-30 or 30.11.2026 10:00", True),
        ("Sale: 1,000,000 things now.Today", True),
        ("Leave: contoso.com/u", False),
        ("Leave: CONTOSO.COM", False),
        ("Leave: https://Contoso.Today", False),
        ("Leave: no@contoso.example", False),
        ("Leave: call +44 7400 123456", False),
        ("Leave: call 0800 123", False),
        ("Leave: call (425) 555-0123 x", False),
        ("STOP au 36105", False),
    ],
)
def test_an_alphanumeric_sender_needs_another_way_out(text: str, *, warned: bool) -> None:
    """Nobody can answer it: a link, an address or a number must be there, in every text."""
    for first in (True, False):
        warnings = {one.code for one in found(text, address=ALPHANUMERIC, first=first)}
        assert (WarningCode.NO_OTHER_WAY_OUT in warnings) is warned
        assert WarningCode.NO_WAY_OUT not in warnings


@pytest.mark.parametrize("category", ["transactional", "oneTimeCode", None])
def test_other_texts_need_neither_brand_nor_way_out(category: str | None) -> None:
    """A code or a reminder is not marketing."""
    for address in (TOLL_FREE, ALPHANUMERIC):
        assert found("Your table is ready", address=address, category=category) == []


def test_later_texts_need_neither_brand_nor_way_out() -> None:
    """Whoever has been told once need not be told each time."""
    assert found("20% off today", first=False) == []


@pytest.mark.parametrize(
    ("text", "positions"), [("a" * 320, []), ("a" * 321, [320]), ("\U0001f600" * 320, [])]
)
def test_long_texts(text: str, positions: list[int]) -> None:
    """More than 320 characters, at the first that is too many."""
    assert places(text, WarningCode.LONG) == positions


@pytest.mark.parametrize(
    ("text", "address", "position"),
    [
        ("\u4f60" * 269, SHORT_CODE, 0),
        ("x" * 612 + "\u00e9", SHORT_CODE, 612),
        ("\u4f60" * 268, SHORT_CODE, None),
        ("x" * 900, SHORT_CODE, None),
        ("\u4f60" * 269, TOLL_FREE, None),
    ],
)
def test_short_codes_hold_four_segments(text: str, address: str, position: int | None) -> None:
    """Beyond four segments with characters outside ASCII, at the first of those characters."""
    warnings = [
        one.position
        for one in found(text, address=address)
        if one.code is WarningCode.SHORT_CODE_SEGMENTS
    ]
    assert warnings == ([] if position is None else [position])


@pytest.mark.parametrize(
    ("text", "positions"),
    [
        ("BUY NOW AND SAVE", [0]),
        ("20% OFF EVERYTHING: https://contoso.com/sale", [4]),
        ("\u0421\u041a\u0418\u0414\u041a\u0418 \u0421\u0415\u0413\u041e\u0414\u041d\u042f", [0]),
        ("BUY NOW", []),
        ("Your code is ABCDEFGHIJ", []),
        ("Contoso: SALE NOW on", []),
        ("\u7279\u4ef7" * 20, []),
        ("123456789012", []),
    ],
)
def test_all_capitals(text: str, positions: list[int]) -> None:
    """Capitals throughout, links apart; a few letters or a code are not meant."""
    assert places(text, WarningCode.CAPITALS) == positions


def test_warnings_come_by_position() -> None:
    """What has a place is listed in the order of places; what concerns the whole comes last."""
    text = "LOOK AT THIS: bit.ly/1 " + "\U0001f600 \u4f60" * 200
    assert [one.code for one in found(text, address=SHORT_CODE)] == [
        WarningCode.CAPITALS,
        WarningCode.SHORTENER,
        WarningCode.SHORT_CODE_SEGMENTS,
        WarningCode.LONG,
        WarningCode.NO_BRAND,
        WarningCode.NO_WAY_OUT,
    ]


@given(
    text=st.text(max_size=400),
    address=st.sampled_from([TOLL_FREE, SHORT_CODE, ALPHANUMERIC]),
    first=st.booleans(),
)
def test_any_text_can_be_looked_at(*, text: str, address: str, first: bool) -> None:
    """Every text has an answer, and every position is one of the text."""
    for one in find_warnings(text, sender(address), category="marketing", first=first):
        assert one.message.endswith(".")
        assert one.position is None or 0 <= one.position < len(text)


# Words and placeholders --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("Contoso: Reply CANCEL to cancel your appointment", 15),
        ("Contoso: reply cancel to cancel your booking", 15),
        ("Contoso: Reply END to end your rental", 15),
        ("Contoso: START to begin", 9),
        ("Contoso: HELP to talk to us", 9),
        ("Contoso: Reply YES to confirm, CANCEL to cancel your visit", 31),
        ("Contoso: To cancel your appointment, reply CANCEL", 43),
        ("Contoso: If you cannot come, text CANCEL", 34),
        ("Contoso: Reply 'STOP' to stop the delivery", 16),
        ("Contoso: Text QUIT to 12345 to give up your seat", 14),
        ("Contoso: Reply C or CANCEL to cancel your order.", 20),
        ("Contoso: CANCEL = cancel appointment", 9),
        ("Contoso: Antworte STOP um deinen Termin abzusagen", 18),
    ],
)
def test_a_keyword_for_something_else_is_warned_of(text: str, position: int) -> None:
    """CANCEL opts out whatever the text says it is for: 47 CFR 64.1200(a)(10)."""
    assert places(text, WarningCode.OTHER_USE) == [position]


@pytest.mark.parametrize(
    "text",
    [
        "Reply STOP to opt out",
        "Reply STOP to end, HELP for help",
        "Text STOP to stop receiving texts",
        "To stop receiving texts, reply STOP",
        "Reply CANCEL to cancel your appointment reminders",
        "Reply STOP to unsubscribe from Contoso",
        "SALE TODAY ONLY, REPLY STOP TO END",
        "Reply START to resume",
        "Reply UNSTOP to rejoin",
        "Reply HELP for help, STOP to quit.",
        "Text STOP to 36105 to opt out",
        "R\u00e9pondez STOP pour ne plus recevoir nos messages",
        "The sale will END for all on Monday",
        "We cancel orders at noon. Send for help if you need it",
    ],
)
def test_a_keyword_for_what_it_does_is_left_alone(text: str) -> None:
    """Ways out, ways in and help, in the words that people use for them."""
    assert places(text, WarningCode.OTHER_USE) == []


@pytest.mark.parametrize(
    ("text", "positions"),
    [
        ("https://contoso.example/a_b~c^d", [25]),
        ("Look: contoso.example/a|b and https://contoso.example/x[1]", [23, 55]),
        ("contoso.example/?q={x}", [19]),
        ("(https://contoso.example/a]", []),
        ("https://contoso.example/a-b.c", []),
        ("snake_case and [brackets] ~ 5", []),
    ],
)
def test_characters_that_break_links_are_warned_of(text: str, positions: list[int]) -> None:
    """Only in links, where one garbled character leads nowhere; what stands behind is no part."""
    assert places(text, WarningCode.FRAGILE) == positions


@pytest.mark.parametrize(
    ("text", "positions"),
    [
        ("Hi {{name}}", [3]),
        ("Hi {{ customer.first_name | upper }}", [3]),
        ("Hi {name}", [3]),
        ("Hi ${name}", [3]),
        ("Hi *|FNAME|*", [3]),
        ("Hi %name%", [3]),
        ("Hi %%FirstName%%", [3]),
        ("Hi [NAME]", [3]),
        ("Hi [First Name]", [3]),
        ("Hi [FIRST_NAME] and <<Link>>", [3, 20]),
        ("Hi \u00abVorname\u00bb", [3]),
        ("{% if member %}Hi", [0]),
        ("[CONTOSO] 20% off", []),
        ("[Web\ubc1c\uc2e0] 20% off, 30% tomorrow", []),
        ("I <3 you, 100%sure%", []),
    ],
)
def test_a_placeholder_that_nobody_fills_is_warned_of(text: str, positions: list[int]) -> None:
    """Other programs' placeholders, and Parley's own in a text that is sent as it stands."""
    assert places(text, WarningCode.UNFILLED) == positions


@pytest.mark.parametrize(
    ("text", "positions"),
    [
        ("Hi {name}, ${sum} for #{order}", []),
        ("https://contoso.example/{code}", []),
        ("Hi [Branch]", [3]),
        ("Hi {{name}}", [3]),
    ],
)
def test_a_campaign_fills_its_own_placeholders(text: str, positions: list[int]) -> None:
    """In a campaign `{name}` is filled, and what is called like a column is a placeholder."""
    warnings = find_warnings(
        text, sender(), category=None, first=True, columns=["name", "sum", "order", "branch"]
    )
    assert [one.position for one in warnings] == positions


@pytest.mark.parametrize(
    ("text", "nothing"),
    [
        ("   ", True),
        ("\u200b\u00a0", True),
        ("\u3164\u2800\ufe0f", True),
        ("\n\r\t", True),
        (".", False),
        ("\U0001f44d", False),
    ],
)
def test_what_prints_nothing_is_known(text: str, *, nothing: bool) -> None:
    """A text of which nobody sees anything is charged all the same."""
    assert prints_nothing(text) is nothing
