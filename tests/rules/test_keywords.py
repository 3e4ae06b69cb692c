"""Keywords: the one-word messages that must be understood, and those that must not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.rules.keywords import TABLE, Keyword, Meaning, read

SPELLINGS = [(s, row) for row in TABLE for s in (row.word, *row.spellings)]
surroundings = st.text(" \t\r\n.,;:!?'\"()*-_\u201c\u201d\u2026\u00a0🛑❤\ufe0f\u200b", max_size=6)


@pytest.mark.parametrize(
    ("text", "intent", "word"),
    [
        ("STOP", Meaning.STOP, "STOP"),
        ("quit", Meaning.STOP, "QUIT"),
        ("End", Meaning.STOP, "END"),
        ("revoke", Meaning.STOP, "REVOKE"),
        ("opt out", Meaning.STOP, "OPT OUT"),
        ("OPTOUT", Meaning.STOP, "OPT OUT"),
        ("Opt-Out", Meaning.STOP, "OPT OUT"),
        ("opt \u2013 out", Meaning.STOP, "OPT OUT"),
        ("opt \n  out", Meaning.STOP, "OPT OUT"),
        ("cancel", Meaning.STOP, "CANCEL"),
        ("Unsubscribe", Meaning.STOP, "UNSUBSCRIBE"),
        ("stopall", Meaning.STOP, "STOPALL"),
        ("stop all", Meaning.STOP, "STOPALL"),
        ("arret", Meaning.STOP, "ARRET"),
        ("ARRÊT", Meaning.STOP, "ARRET"),
        ("arre\u0302t", Meaning.STOP, "ARRET"),
        ("start", Meaning.START, "START"),
        ("UnStop", Meaning.START, "UNSTOP"),
        ("help", Meaning.HELP, "HELP"),
        ("info?", Meaning.HELP, "INFO"),
        ("aide", Meaning.HELP, "AIDE"),
        ("  stop!!! ", Meaning.STOP, "STOP"),
        ("\u201cSTOP\u201d", Meaning.STOP, "STOP"),
        ("(stop).", Meaning.STOP, "STOP"),
        ("stop \U0001f6d1", Meaning.STOP, "STOP"),
        ("stop\ufe0f\u200b", Meaning.STOP, "STOP"),
        ("\uff33\uff34\uff2f\uff30", Meaning.STOP, "STOP"),
    ],
)
def test_keywords_are_read(text: str, intent: Meaning, word: str) -> None:
    """Case, width, accents' form, and what surrounds a keyword do not matter."""
    found = read(text)
    assert found is not None
    assert (found.intent, found.word) == (intent, word)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "!?",
        "🛑",
        "we have got to STOP this bill",
        "Stop 12345",
        "stop it please",
        "stop stop",
        "stop, please",
        "don't stop",
        "stops",
        "s t o p",
        "opt",
        "out",
        "opt in",
        "opt out now",
        "weekend",
        "restart",
        "startle",
        "help me",
        "information",
        "1",
        "yes",
        "STOP/START",
    ],
)
def test_free_text_is_no_keyword(text: str) -> None:
    """A message that says anything besides the word is not taken for it."""
    assert read(text) is None


@given(st.sampled_from(SPELLINGS), surroundings, surroundings, st.data())
def test_dress_does_not_matter(
    spelling: tuple[str, object], before: str, after: str, data: st.DataObject
) -> None:
    """Any mixture of case and any punctuation around a keyword reads as the keyword."""
    written, _ = spelling
    cases = data.draw(st.lists(st.booleans(), min_size=len(written), max_size=len(written)))
    mixed = "".join(c.upper() if up else c.lower() for c, up in zip(written, cases, strict=True))
    assert read(before + mixed + after) == read(written)


@given(st.sampled_from(SPELLINGS), st.from_regex(r"[a-z0-9]{1,8}", fullmatch=True))
def test_a_further_word_ends_it(spelling: tuple[str, object], other: str) -> None:
    """One more word, before or after, and it is free text."""
    written, _ = spelling
    assert read(f"{other} {written}") is None
    assert read(f"{written} {other}") is None or (written, other) == ("STOP", "all")


@given(st.text())
def test_any_text_can_be_read(text: str) -> None:
    """Reading never fails, and says only what stands in the table."""
    found = read(text)
    assert found is None or found in {Keyword(row.intent, row.word, row.rule) for row in TABLE}


def test_rules_are_stable_ids() -> None:
    """The ledger keeps these ids for years: a change here is a change of its records."""
    assert [row.rule for row in TABLE] == [
        "keyword/STOP",
        "keyword/QUIT",
        "keyword/END",
        "keyword/REVOKE",
        "keyword/OPT-OUT",
        "keyword/CANCEL",
        "keyword/UNSUBSCRIBE",
        "keyword/STOPALL",
        "keyword/ARRET",
        "keyword/START",
        "keyword/UNSTOP",
        "keyword/HELP",
        "keyword/INFO",
        "keyword/AIDE",
    ]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.rule)
def test_each_row_says_who_demands_it(row: object) -> None:
    """No word is honoured on hearsay."""
    assert getattr(row, "source", "")


def test_no_spelling_means_two_things() -> None:
    """Each spelling belongs to one row and reads as that row."""
    for written, row in SPELLINGS:
        assert read(written) == Keyword(row.intent, row.word, row.rule)
