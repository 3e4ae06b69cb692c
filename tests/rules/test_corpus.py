"""The labelled replies: valid, each text once, as many as promised, and as they were committed."""

import hashlib
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any, Final

HELD_OUT: Final = Path(__file__).parents[1] / "data" / "replies-heldout.jsonl"
DIGEST: Final = "89ba20195ae4b49946712f040d1f94fbd9506872a3f8943e9350d6b99c0519a1"

LANGUAGES: Final = {"en": 200, "es": 80, "fr": 70, "ko": 60, "de": 35, "pt": 35}
VERDICTS: Final = ("revoke", "resume", "help", "ask", "none")
SCOPES: Final = ("marketing", "transactional")
# Seven digits or more, with what people put between them.
NUMBER: Final = re.compile(r"\d(?:[ ().-]*\d){6,}")
INVENTED: Final = re.compile(r"\D*(?:\d{3}\D+)?555-01\d\d")


def _lines() -> list[str]:
    return HELD_OUT.read_text(encoding="utf-8").splitlines()


def _replies() -> list[dict[str, Any]]:
    return [json.loads(line) for line in _lines()]


def test_each_line_is_a_labelled_reply() -> None:
    """A line has a text, a language and a verdict; a scope only where a revocation names one."""
    for number, reply in enumerate(_replies(), start=1):
        where = f"line {number}: {reply}"
        assert {"text", "language", "verdict"} <= reply.keys(), where
        assert reply.keys() <= {"text", "language", "verdict", "scope", "note"}, where
        assert all(isinstance(value, str) and value.strip() for value in reply.values()), where
        assert reply["language"] in LANGUAGES, where
        assert reply["verdict"] in VERDICTS, where
        if "scope" in reply:
            assert reply["verdict"] == "revoke", where
            assert reply["scope"] in SCOPES, where


def test_no_text_is_there_twice() -> None:
    """Each text counts once in a figure."""
    counts = Counter(reply["text"] for reply in _replies())
    assert [text for text, count in counts.items() if count > 1] == []


def test_there_are_enough_of_each_kind() -> None:
    """Each language has its share, and every verdict; near misses are not outnumbered."""
    replies = _replies()
    languages = Counter(reply["language"] for reply in replies)
    for language, least in LANGUAGES.items():
        assert languages[language] >= least, language
        verdicts = {reply["verdict"] for reply in replies if reply["language"] == language}
        assert verdicts == set(VERDICTS), language
    verdicts_of_all = Counter(reply["verdict"] for reply in replies)
    assert verdicts_of_all["revoke"] >= 0.44 * len(replies)
    assert verdicts_of_all["none"] >= 0.30 * len(replies)
    assert sum(verdicts_of_all[each] for each in ("resume", "help", "ask")) >= 0.24 * len(replies)


def test_telephone_numbers_are_invented() -> None:
    """A telephone number in a text is from the range that is given to nobody."""
    for reply in _replies():
        for number in NUMBER.findall(reply["text"]):
            assert INVENTED.fullmatch(number), reply["text"]


def test_held_out_replies_are_as_committed() -> None:
    """What measures the rules was there before them, and is not fitted to them."""
    digest = hashlib.sha256("\n".join(_lines()).encode()).hexdigest()
    assert digest == DIGEST, "replies-heldout.jsonl is not edited; see tests/data/README.md"
