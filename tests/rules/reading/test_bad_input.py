"""Whatever comes is read, in steps that grow with its length alone."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.rules.reading import Verdict, read_reply

SEEDS = {
    "stop": "stop ",
    "letters": "s ",
    "stretched": "o",
    "negations": "don't not never ",
    "gaps": "don't send me any more of the ",
    "lists": "take me off the list ",
    "commas": "stop, ",
    "quotes": '"stop" ',
    "tags": "<b>stop</b> ",
    "open tags": "<b ",
    "on": "on monday ",
    "mailer": "le lundi ",
    "lines": "> stop\n",
    "hangul": "수신거부하지마세요",
    "marks": "\u0301",
    "emoji": "🛑👍",
    "arabic": "توقف عن ",
    "numbers": "1.2,3/",
    "apostrophes": "qu'on n'",
    "dashes": "-- ",
}


def steps(text: str) -> int:
    """How many bytecode instructions its reading takes, in Python's own code."""
    count = 0

    def step(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        frame.f_trace_opcodes = True
        count += event == "opcode"
        return step

    before = sys.gettrace()
    sys.settrace(step)
    try:
        read_reply(text)
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("seed", SEEDS.values(), ids=list(SEEDS))
def test_twice_the_length_costs_at_most_two_and_a_half_times_the_steps(seed: str) -> None:
    """No text makes the reader's work grow faster than itself."""
    short = (seed * 2000)[:1000]
    long = (seed * 2000)[:2000]
    read_reply(long)
    assert steps(long) <= 2.5 * steps(short)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "\n\t ", "👍", "😀😀😀", "!?", "...", "\ud83d", "\udc00stop\ud83d", "\0"),
        *("توقف", "עצור", "\u202e\u202d", "a\u0301" * 500, "\u0301" * 500, "\u200b" * 2000),
        *("<", "<b", "</b></b>", "&nbsp;", "&lt;&lt;", "\ufffd", "0", "1" * 2000, "x" * 2000),
        *("a" * 1999 + "!", "(" * 2000, "on " * 700, ">" * 2000, "-" * 2000, '"' * 2000),
    ],
)
def test_texts_that_say_nothing(text: str) -> None:
    """They are read, and mean nothing."""
    reading = read_reply(text)
    assert reading.verdict in {Verdict.NONE, Verdict.REVOKE}
    assert (reading.verdict is Verdict.REVOKE) == ("stop" in text)


@pytest.mark.parametrize("text", ["STOP" + " " * 9997, "stop" + "!" * 2000, "\n" * 2000 + "STOP"])
def test_a_keyword_in_a_long_text_of_nothing(text: str) -> None:
    """Blanks and marks do not hide a keyword."""
    assert read_reply(text).verdict is Verdict.REVOKE


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    """No text is too odd; what is found lies inside of it."""
    reading = read_reply(text)
    if reading.span is not None:
        first, behind = reading.span
        assert 0 <= first < behind <= len(text)
    assert (reading.scope is not None) == (reading.verdict is Verdict.REVOKE)


@given(
    st.lists(
        st.sampled_from(
            [
                "stop",
                "don't",
                "text",
                "me",
                "my",
                "no",
                "quiero",
                "arret",
                "그만",
                ".",
                ",",
                "!",
                "#",
                ">",
                '"',
                "<",
                "\n",
            ]
        )
    )
)
def test_any_words_are_read(words: list[str]) -> None:
    """However words follow each other."""
    reading = read_reply(" ".join(words))
    assert (reading.rule is None) == (reading.span is None)
