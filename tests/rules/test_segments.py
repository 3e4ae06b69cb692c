"""Segments: what a text costs, why, and what would make it cheaper."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.rules.segments import STAND_INS, CostlyCharacter, Encoding, in_gsm7, measure

# 3GPP TS 23.038, 6.2.1 by code, written down a second time and apart from the product's table.
BASIC = [
    *(0x40, 0xA3, 0x24, 0xA5, 0xE8, 0xE9, 0xF9, 0xEC, 0xF2, 0xC7, 0x0A, 0xD8, 0xF8, 0x0D),
    *(0xC5, 0xE5, 0x394, 0x5F, 0x3A6, 0x393, 0x39B, 0x3A9, 0x3A0, 0x3A8, 0x3A3, 0x398, 0x39E),
    *(0xC6, 0xE6, 0xDF, 0xC9, 0x20, 0x21, 0x22, 0x23, 0xA4, *range(0x25, 0x40)),
    *(0xA1, *range(0x41, 0x5B), 0xC4, 0xD6, 0xD1, 0xDC, 0xA7),
    *(0xBF, *range(0x61, 0x7B), 0xE4, 0xF6, 0xF1, 0xFC, 0xE0),
]
EXTENSION = [0x0C, 0x5E, 0x7B, 0x7D, 0x5C, 0x5B, 0x7E, 0x5D, 0x7C, 0x20AC]
basic = st.sampled_from([chr(point) for point in BASIC])
extension = st.sampled_from([chr(point) for point in EXTENSION])
# Mostly escapes and pairs, and long: the cuts between segments are where counting goes wrong.
gsm7_texts = st.text(basic | extension, max_size=700)
astral = st.characters(min_codepoint=0x10000, max_codepoint=0x10FFFF)
plane_zero = st.characters(min_codepoint=0x0, max_codepoint=0xFFFF)
ucs2_texts = st.text(st.sampled_from("aΩ\u0416") | astral | plane_zero, max_size=300)
any_texts = gsm7_texts | ucs2_texts | st.text()


def _segments_by_hand(widths: list[int], alone: int, joined: int) -> int:
    """The rule itself: a character goes into the open segment if it fits whole, else a new one."""
    if sum(widths) <= alone:
        return 1
    segments, room = 1, joined
    for width in widths:
        if width > room:
            segments, room = segments + 1, joined
        room -= width
    return segments


def _characters(text: str) -> list[int]:
    """UTF-16 widths; two halves of a pair that stand side by side are one character."""
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    return [2 if character > "\uffff" else 1 for character in whole]


@pytest.mark.parametrize("point", BASIC)
def test_basic_characters_are_one_septet(point: int) -> None:
    """Every character of the basic table costs one septet."""
    assert (measure(chr(point)).encoding, measure(chr(point)).units) == (Encoding.GSM7, 1)


@pytest.mark.parametrize("point", EXTENSION)
def test_extension_characters_are_two_septets(point: int) -> None:
    """Every character of the extension table costs an escape and itself."""
    assert (measure(chr(point)).encoding, measure(chr(point)).units) == (Encoding.GSM7, 2)


def test_the_table_is_complete() -> None:
    """The basic table has 127 characters and the escape, which is none."""
    assert len(set(BASIC)) == 127
    assert measure("\x1b").encoding is Encoding.UCS2


@given(st.characters(exclude_characters=[chr(point) for point in BASIC + EXTENSION]))
def test_nothing_else_is_gsm7(character: str) -> None:
    """Any other character, tab and backtick among them, makes the text UCS-2."""
    assert measure(f"Hello {character}").encoding is Encoding.UCS2


@pytest.mark.parametrize(
    ("text", "encoding", "segments", "units", "room"),
    [
        ("", Encoding.GSM7, 1, 0, 160),
        ("a", Encoding.GSM7, 1, 1, 160),
        ("a" * 160, Encoding.GSM7, 1, 160, 160),
        ("a" * 161, Encoding.GSM7, 2, 161, 153),
        ("a" * 306, Encoding.GSM7, 2, 306, 153),
        ("a" * 307, Encoding.GSM7, 3, 307, 153),
        ("a" * 2048, Encoding.GSM7, 14, 2048, 153),
        ("\r\n", Encoding.GSM7, 1, 2, 160),
        ("€" * 80, Encoding.GSM7, 1, 160, 160),
        ("€" * 81, Encoding.GSM7, 2, 162, 153),
        # 76 of them fill 152 of 153 septets; the last septet of each segment stays empty.
        ("€" * 152, Encoding.GSM7, 2, 304, 153),
        ("€" * 153, Encoding.GSM7, 3, 306, 153),
        ("a" * 152 + "€" + "a" * 152, Encoding.GSM7, 3, 306, 153),
        ("a" * 151 + "€" + "a" * 153, Encoding.GSM7, 2, 306, 153),
        ("a" * 159 + "€", Encoding.GSM7, 2, 161, 153),
        ("Ж" * 70, Encoding.UCS2, 1, 70, 70),
        ("Ж" * 71, Encoding.UCS2, 2, 71, 67),
        ("Ж" * 134, Encoding.UCS2, 2, 134, 67),
        ("Ж" * 135, Encoding.UCS2, 3, 135, 67),
        ("😀" * 35, Encoding.UCS2, 1, 70, 70),
        ("😀" * 36, Encoding.UCS2, 2, 72, 67),
        ("😀" * 66, Encoding.UCS2, 2, 132, 67),
        ("😀" * 67, Encoding.UCS2, 3, 134, 67),
        ("a" * 66 + "😀" + "a" * 66, Encoding.UCS2, 3, 134, 67),
        ("a" * 65 + "😀" + "a" * 67, Encoding.UCS2, 2, 134, 67),
        ("a" * 66 + "\ud83d" + "a" * 67, Encoding.UCS2, 2, 134, 67),
        ("a" * 66 + "\ud83d\ude00" + "a" * 66, Encoding.UCS2, 3, 134, 67),
        ("a" * 66 + "\ude00\ud83d" + "a" * 66, Encoding.UCS2, 2, 134, 67),
    ],
)
def test_counts_at_the_edges(
    text: str, encoding: Encoding, segments: int, units: int, room: int
) -> None:
    """Each limit holds to the character, and no pair is split over two segments."""
    found = measure(text)
    assert (found.encoding, found.segments, found.units) == (encoding, segments, units)
    assert found.units_per_segment == room


@given(gsm7_texts)
def test_gsm7_is_counted_by_packing(text: str) -> None:
    """Septets are packed character by character."""
    widths = [2 if ord(character) in EXTENSION else 1 for character in text]
    found = measure(text)
    assert (found.encoding, found.costly) == (Encoding.GSM7, ())
    assert found.units == sum(widths)
    assert found.segments == _segments_by_hand(widths, 160, 153)


@given(ucs2_texts.map("Ж".__add__))
def test_ucs2_is_counted_by_packing(text: str) -> None:
    """UTF-16 units are packed character by character, half pairs as one unit."""
    widths = _characters(text)
    found = measure(text)
    assert found.encoding is Encoding.UCS2
    assert found.units == sum(widths)
    assert found.segments == _segments_by_hand(widths, 70, 67)


@given(any_texts, st.characters())
def test_more_text_never_costs_less(text: str, character: str) -> None:
    """No text gets cheaper by writing more."""
    assert measure(text + character).segments >= measure(text).segments


@given(any_texts)
def test_costly_characters_are_told(text: str) -> None:
    """Each culprit is named once, with its first place and its number, in order of appearance."""
    found = measure(text)
    assert (found.encoding is Encoding.UCS2) == bool(found.costly)
    for costly in found.costly:
        assert text.index(costly.character) == costly.position
        assert text.count(costly.character) == costly.count
    places = [costly.position for costly in found.costly]
    assert places == sorted(places)
    harmless = text
    for costly in sorted(found.costly, key=lambda one: -len(one.character)):
        harmless = harmless.replace(costly.character, "")
    assert measure(harmless).encoding is Encoding.GSM7


def test_a_costly_text_says_what_to_change() -> None:
    """Positions count code points, so that an editor can mark them."""
    assert measure("😀 “so” “it” is").costly == (
        CostlyCharacter("😀", 0, 1, None),
        CostlyCharacter("“", 2, 2, '"'),
        CostlyCharacter("”", 5, 2, '"'),
    )


@pytest.mark.parametrize(
    ("text", "costly"),
    [
        ("Jose\u0301", [("e\u0301", 3, 1, "é")]),
        ("e\u0301 or e\u0301 and \u0416", [("e\u0301", 0, 2, "é"), ("\u0416", 13, 1, None)]),
        ("\u015f s\u0327", [("\u015f", 0, 1, "s"), ("s\u0327", 2, 1, "s")]),
        ("=\u0338", [("=\u0338", 0, 1, None)]),
    ],
)
def test_a_separate_accent_belongs_to_its_letter(
    text: str, costly: list[tuple[str, int, int, str | None]]
) -> None:
    """What is offered for a letter and its accent is what the whole text is then written with."""
    assert measure(text).costly == tuple(CostlyCharacter(*one) for one in costly)


@pytest.mark.parametrize("character", sorted("\u180e\u2063\u3164\ufe00\u200c\u061c\u2064\u034f"))
def test_what_prints_nothing_can_be_left_out(character: str) -> None:
    """A character that nobody sees need not make a text cost twice."""
    assert [one.stand_in for one in measure(f"a{character}").costly] == [""]
    assert in_gsm7(f"a{character}b") == "ab"


@pytest.mark.parametrize(
    "text",
    [
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        "\U0001f468\u200d\U0001f469\u200d\U0001f467 \u201chi\u201d",
        "\u9a8c\u8bc1\u7801\u201c123456\u201d\uff0c\u8c22\u8c22\u2026",
        "\u0416 \u2013 e\u0301",
    ],
)
def test_a_text_that_stays_ucs2_is_left_as_it_is(text: str) -> None:
    """Persian keeps its joiners and a family stays whole where nothing would be saved by it."""
    assert in_gsm7(text) == text


@pytest.mark.parametrize(
    ("character", "stand_in"), [("\u212b", "Å"), ("\u2126", "Ω"), ("\u01d6", "u"), ("\u0301", "")]
)
def test_the_nearest_stand_in_is_offered(character: str, stand_in: str) -> None:
    """An accent is given up only where GSM-7 has no letter with it."""
    assert [costly.stand_in for costly in measure(character).costly] == [stand_in]


@pytest.mark.parametrize(
    ("text", "cheaper"),
    [
        ("", ""),
        ("plain [text] for 5 €", "plain [text] for 5 €"),
        ("\u201cIt\u2019s\u201d \u2018so\u2019", "\"It's\" 'so'"),
        ("\u00ab oui \u00bb", '" oui "'),
        ("9\u20135 \u2014 now\u2026", "9-5 - now..."),
        ("\u2212 5", "- 5"),
        ("a\u00a0b\u2009c\u202fd\u3000e\tf", "a b c d e f"),
        ("a\u200bb\u200dc\ufeffd\u00ade", "abcde"),
        ("a\u2028b", "a\nb"),
        ("\u2022 milk", "- milk"),
        ("`code`", "'code'"),
        ("ça Á ê ő ş ğ", "ca A e o s g"),
        ("Łódź Đorđe \u0131", "Lodz Dorde i"),
        ("œuvre Þór ẞ", "oeuvre Thor SS"),
        ("ﬁn ﬀ", "fin ff"),
        ("\uff21\uff42\uff43 \uff11\uff12", "Abc 12"),
        ("e\u0301 u\u0308 s\u0327", "é ü s"),
        ("\u212b \u2126", "Å Ω"),
        ("™ № CO\u2082", "TM No CO2"),
        ("→ ≤ \u00d7", "-> <= x"),
        ("\x00a\x1bb\x7f", "ab"),
    ],
)
def test_stand_ins(text: str, cheaper: str) -> None:
    """What only looks different in GSM-7 is replaced."""
    assert in_gsm7(text) == cheaper
    assert measure(cheaper).encoding is Encoding.GSM7


@pytest.mark.parametrize(
    "text",
    ["10\u00b2", "1\u00bd", "a \u2260 b", "a =\u0338 b", "\u00a8", "Ж", "😀", "नमस्ते", "5 °C"],
)
def test_no_stand_in_changes_the_meaning(text: str) -> None:
    """10 squared is not 102, one and a half not 11/2, not equal not equal: they stay as they are.

    So do other scripts, of which letters cannot be taken away one by one.
    """
    assert measure(in_gsm7(text)).encoding is Encoding.UCS2


@pytest.mark.parametrize("character", sorted(STAND_INS))
def test_the_table_pays_off(character: str) -> None:
    """Each row of the table is about a character that costs, and gives one that does not."""
    assert measure(character).encoding is Encoding.UCS2
    assert measure(STAND_INS[character]).encoding is Encoding.GSM7


@given(any_texts)
def test_stand_ins_are_told_and_used_alike(text: str) -> None:
    """A text becomes GSM-7 exactly when each of its costly characters has a stand-in."""
    replaceable = all(costly.stand_in is not None for costly in measure(text).costly)
    assert (measure(in_gsm7(text)).encoding is Encoding.GSM7) == replaceable


@given(any_texts)
def test_replacing_twice_changes_nothing(text: str) -> None:
    """`in_gsm7` is idempotent, and leaves a GSM-7 text alone."""
    cheaper = in_gsm7(text)
    assert in_gsm7(cheaper) == cheaper
    if measure(text).encoding is Encoding.GSM7:
        assert cheaper == text


@given(st.text(st.sampled_from("éüñÅèà ok"), max_size=20))
def test_separate_accents_are_joined(text: str) -> None:
    """A text from a keyboard that sends accents apart loses none that GSM-7 has."""
    assert in_gsm7(unicodedata.normalize("NFD", text)) == text
