"""Warnings about a text before it is sent: what carriers block, regulators fine and people dislike.

A warning stops nothing; it says what a second pair of eyes would say. Each has a stable code, so
that an application can decide for itself. All of it is a matter of the text, its sender and its
category; who receives it and what it costs is said elsewhere.

The rules come from ACS's SMS FAQ (shorteners, 320 characters, four segments on short codes; see
docs/platform.md 5.2), 47 CFR 64.1200(a)(10) (ways out), and carriers' rules for marketing (brand,
way out).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from shared.rules import keywords, segments
from shared.rules.keywords import Meaning
from shared.rules.senders import Sender, SenderKind
from shared.rules.text_invitations import INVITED, other_uses
from shared.rules.text_placeholders import leftovers

# Named by ACS as blocked by carriers in the United States (docs/platform.md 5.2).
SHORTENERS: Final = frozenset(
    {
        "bc.vc",
        "bit.ly",
        "budurl.com",
        "clicky.me",
        "goo.gl",
        "is.gd",
        "lc.chat",
        "s2r.co",
        "soo.gd",
        "tiny.cc",
        "tinyurl.com",
    }
)
LONGEST: Final = 320
MOST_SEGMENTS: Final = 4
# Fewer capital letters are an abbreviation or a code, not a voice.
_FEWEST_CAPITALS: Final = 10
_CAPITALS_OF_TEN: Final = 8


class WarningCode(StrEnum):
    """What is wrong; stable."""

    SHORTENER = "publicShortener"
    NO_BRAND = "noBrand"
    NO_WAY_OUT = "noWayOut"
    UNREAD_WAY_OUT = "wayOutNotUnderstood"
    NO_OTHER_WAY_OUT = "noOtherWayOut"
    LONG = "longText"
    SHORT_CODE_SEGMENTS = "shortCodeSegments"
    CAPITALS = "allCapitals"
    OTHER_USE = "keywordForOtherUse"
    FRAGILE = "fragileCharacters"
    UNFILLED = "unfilledPlaceholder"


@dataclass(frozen=True, slots=True)
class Finding:
    """One warning.

    Attributes:
        code: stable.
        message: a sentence for whoever wrote the text.
        position: index in the text, in code points; None where the text as a whole is meant.
    """

    code: WarningCode
    message: str
    position: int | None = None


@dataclass(frozen=True, slots=True)
class WayOut:
    """A word by which a text offers to leave.

    Attributes:
        word: in small letters.
        language: BCP 47.
        alone: the word means leaving wherever it stands in capitals, or, where its script has none,
            wherever it stands at all. Others need an invitation to reply before them: "Sale ENDS".
    """

    word: str
    language: str
    alone: bool = True


WAYS_OUT: Final[tuple[WayOut, ...]] = (
    WayOut("stop", "en"),  # and French, German, Spanish, Italian, Portuguese, Dutch, Polish
    WayOut("stopall", "en"),
    WayOut("unsubscribe", "en"),
    WayOut("opt out", "en"),
    WayOut("opt-out", "en"),
    WayOut("optout", "en"),
    WayOut("quit", "en", alone=False),
    WayOut("end", "en", alone=False),
    WayOut("cancel", "en", alone=False),
    WayOut("revoke", "en", alone=False),
    WayOut("arret", "fr"),
    WayOut("arrêt", "fr"),
    WayOut("désabonner", "fr", alone=False),
    WayOut("baja", "es"),
    WayOut("alto", "es", alone=False),
    WayOut("salir", "es", alone=False),
    WayOut("parar", "pt"),
    WayOut("sair", "pt"),
    WayOut("cancelar", "pt", alone=False),
    WayOut("stopp", "de"),
    WayOut("abmelden", "de"),
    WayOut("afmelden", "nl"),
    WayOut("avslutt", "nb"),
    WayOut("avsluta", "sv"),
    WayOut("lopeta", "fi"),
    WayOut("стоп", "ru"),
    WayOut("수신거부", "ko"),
    WayOut("退订", "zh-Hans"),
    WayOut("退訂", "zh-Hant"),
    WayOut("配信停止", "ja"),
)
# Words that leave no doubt even in small letters.
_PLAIN: Final = frozenset({"unsubscribe", "opt out", "opt-out", "optout", "stopall"})
_QUOTES: Final = frozenset("\"'\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb\u300c\u300d")

# Host names are ASCII; what stands directly before and after is judged by `_continues`.
_HOST: Final = r"(?P<host>[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+)"
_LINK: Final = re.compile(
    rf"(?:(?P<scheme>https?://)(?:[^\s/@?#]*@)?|(?<![A-Za-z0-9_@./-])){_HOST}"
    r"(?::[0-9]+)?(?P<rest>[/?#]\S*)?",
    re.IGNORECASE,
)
_TOP_DOMAIN: Final = re.compile(r"[a-z]{2,}|[A-Z]{2,}|[Xx][Nn]--[A-Za-z0-9-]+")
_EMAIL: Final = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
_DATE: Final = re.compile(
    r"(?<![0-9])(?:[0-9]{4}[./-][0-9]{1,2}[./-][0-9]{1,2}"
    r"|[0-9]{1,2}[./-][0-9]{1,2}[./-](?:[0-9]{4}|[0-9]{2}))(?![0-9])"
)
_NUMBER: Final = re.compile(r"(?<![0-9])[+(]{0,3}[0-9](?:[ ().\-/\u00a0\u2011]{0,3}[0-9])*")
_FEWEST_DIGITS: Final = 9
# Written with + or a leading zero, freephone numbers among them are shorter.
_FEWEST_DIGITS_MARKED: Final = 6
# What some carriers' gateways garble on the way from GSM-7's second table; a link breaks of it.
_FRAGILE: Final = re.compile(r"[_^~\[\]{}|\\]")
# What a sentence puts behind a link.
_BEHIND_A_LINK: Final = ")]}>,.;:!?'\"\u2019\u201d\u00bb"
_PLACEHOLDER: Final = re.compile(r"\{[^{}]*\}")
_DOES: Final = {
    Meaning.STOP: "opts out whoever answers with it",
    Meaning.START: "opts in whoever answers with it",
    Meaning.HELP: "is answered with help by carriers",
}
# "STOP to 36105": the number that the word is to be sent to.
_STOP_TO: Final = re.compile(r"\bstop\s+\w{1,4}\s+[0-9]{4,6}\b", re.IGNORECASE)


def find_warnings(
    text: str,
    sender: Sender,
    *,
    category: str | None,
    first: bool,
    columns: Collection[str] | None = None,
) -> list[Finding]:
    """What is questionable about a text, by position; what concerns the whole of it comes last.

    Args:
        text: as it would be sent; placeholders may still stand in it.
        sender: whose kind and brand matter.
        category: marketing, transactional, oneTimeCode, or None.
        first: whether it can be the first text of this sender to somebody.
        columns: of the list that fills its placeholders; None for a text that is sent as it is.
    """
    found = [
        *_shorteners(text),
        *_fragile(text if columns is None else _PLACEHOLDER.sub(_letters, text)),
        *_other_uses(text),
        *_unfilled(text, columns),
        *_long(text),
        *_short_code_segments(text, sender),
        *_capitals(text),
    ]
    if category == "marketing":
        if first:
            found += _no_brand(text, sender)
        if sender.kind is SenderKind.ALPHANUMERIC:
            found += _no_other_way_out(text)
        elif first:
            found += _no_way_out(text)
    return sorted(found, key=lambda one: (one.position is None, one.position or 0, one.code))


# Links ------------------------------------------------------------------------------------------


def _shorteners(text: str) -> Iterator[Finding]:
    for link in _links(text):
        host = link["host"].lower().removeprefix("www.")
        if host in SHORTENERS:
            yield Finding(
                WarningCode.SHORTENER,
                f"Carriers in the United States block texts with links of {host}, a public link"
                " shortener; use a domain of your own.",
                link.start(),
            )


def _fragile(text: str) -> Iterator[Finding]:
    for link in _links(text):
        written = link[0].rstrip(_BEHIND_A_LINK)
        if found := _FRAGILE.search(written):
            shown = " ".join(dict.fromkeys(_FRAGILE.findall(written)))
            yield Finding(
                WarningCode.FRAGILE,
                f"Some carriers garble {shown} on the way, and the link then leads nowhere; use a"
                " link of letters, digits and hyphens.",
                link.start() + found.start(),
            )


def _letters(placeholder: re.Match[str]) -> str:
    """As many letters as a placeholder has characters: what will stand in its place."""
    return "x" * len(placeholder[0])


def _links(text: str) -> Iterator[re.Match[str]]:
    """What reads as a link, with a scheme or without; not the host of an e-mail address."""
    for link in _LINK.finditer(text):
        before = _before(text, link.start())
        after = text[link.end("host") : link.end("host") + 1]
        if link["scheme"] is None and _continues(before):
            continue
        if not _continues(after) and after not in {"@", "_"}:
            yield link


def _continues(neighbour: str) -> bool:
    """Whether a letter or digit here belongs to the same word; scripts without case need no spaces.

    So a link is found right after a Chinese character, and a brand right before a Korean particle.
    """
    return neighbour.isdigit() or neighbour.lower() != neighbour.upper()


# Words and placeholders -------------------------------------------------------------------------


def _other_uses(text: str) -> Iterator[Finding]:
    for found in other_uses(text, shouted=_is_shouted(text)):
        yield Finding(
            WarningCode.OTHER_USE,
            f"{found.word.upper()} {_DOES[found.meaning]}, whatever the text says it is for. Ask"
            " for another word, such as C or NO.",
            found.position,
        )


def _unfilled(text: str, columns: Collection[str] | None) -> Iterator[Finding]:
    for found in leftovers(text, columns=columns):
        way = "Campaigns fill {name}; a text that is sent alone is sent as it stands."
        if columns is not None:
            way = "Placeholders are written {name}, after a column of the list."
        yield Finding(
            WarningCode.UNFILLED,
            f"{found.written} looks like a placeholder, and nobody fills it. {way}",
            found.position,
        )


# Marketing --------------------------------------------------------------------------------------


def _no_brand(text: str, sender: Sender) -> Iterator[Finding]:
    brand = _plain(sender.brand)
    if not brand:
        if sender.kind is not SenderKind.ALPHANUMERIC:
            yield Finding(
                WarningCode.NO_BRAND,
                f"The setting of sender {sender.address} has no brand, so that nobody can tell"
                " whether the text says who it is from.",
            )
        return
    shown_as_sender = brand.replace(" ", "") == _plain(sender.address).replace(" ", "")
    if not shown_as_sender and not list(_words(_plain(text), brand)):
        yield Finding(
            WarningCode.NO_BRAND,
            f"The first marketing text should say who it is from; it does not name {sender.brand}.",
        )


def _no_way_out(text: str) -> Iterator[Finding]:
    offered = list(_ways_out(text))
    if not offered:
        yield Finding(
            WarningCode.NO_WAY_OUT,
            'The first marketing text should say how to leave, such as "Reply STOP to opt out".',
        )
        return
    if not any(way.word in _PLAIN or keywords.read(way.word) for way, _ in offered):
        way, position = offered[0]
        yield Finding(
            WarningCode.UNREAD_WAY_OUT,
            f"Parley does not read {way.word.upper()} as an opt-out; offer STOP, or handle that"
            " word in your application.",
            position,
        )


def _ways_out(text: str) -> Iterator[tuple[WayOut, int]]:
    # A few capitals have two characters in small; they stay, so that places are those of the text.
    small = "".join(c if len(c.lower()) > 1 else c.lower() for c in text)
    shouted = _is_shouted(text)
    for way in WAYS_OUT:
        for place in _words(small, way.word):
            if _is_offered(text, way, place, shouted=shouted):
                yield way, place
                break


def _is_offered(text: str, way: WayOut, place: int, *, shouted: bool) -> bool:
    end = place + len(way.word)
    written = text[place:end]
    if INVITED.search(text[max(0, place - 40) : place]):
        return True
    if not way.alone:
        return False
    if way.word in _PLAIN or written.lower() == written.upper():
        return True
    quoted = _before(text, place) in _QUOTES and text[end : end + 1] in _QUOTES
    return quoted or (written.isupper() and not shouted)


def _no_other_way_out(text: str) -> Iterator[Finding]:
    if not (_has_contact(text) or _STOP_TO.search(text)):
        yield Finding(
            WarningCode.NO_OTHER_WAY_OUT,
            "Nobody can reply to an alphanumeric sender: a marketing text from one must name"
            " another way out, such as a link, an e-mail address or a phone number.",
        )


def _has_contact(text: str) -> bool:
    if _EMAIL.search(text) or any(_is_surely_a_link(link) for link in _links(text)):
        return True
    return any(_is_phone_number(found[0]) for found in _NUMBER.finditer(_DATE.sub("|", text)))


def _is_surely_a_link(link: re.Match[str]) -> bool:
    # A full stop without the space after it makes a host name of two words: "now.Today".
    top = link["host"].rsplit(".", 1)[-1]
    return bool(link["scheme"] or _TOP_DOMAIN.fullmatch(top))


def _is_phone_number(written: str) -> bool:
    digits = sum(character.isdigit() for character in written)
    marked = written.lstrip("(").startswith(("+", "0"))
    return digits >= (_FEWEST_DIGITS_MARKED if marked else _FEWEST_DIGITS)


# Form -------------------------------------------------------------------------------------------


def _long(text: str) -> Iterator[Finding]:
    if len(text) > LONGEST:
        yield Finding(
            WarningCode.LONG,
            f"The text has {len(text)} characters; more than {LONGEST} arrive less reliably.",
            LONGEST,
        )


def _short_code_segments(text: str, sender: Sender) -> Iterator[Finding]:
    if sender.kind is not SenderKind.SHORT_CODE or text.isascii():
        return
    needed = segments.measure(text).segments
    if needed > MOST_SEGMENTS:
        yield Finding(
            WarningCode.SHORT_CODE_SEGMENTS,
            f"The text needs {needed} segments and has characters outside ASCII; on short codes of"
            f" the United States its form may break beyond {MOST_SEGMENTS}.",
            next(place for place, character in enumerate(text) if not character.isascii()),
        )


def _capitals(text: str) -> Iterator[Finding]:
    if _is_shouted(text):
        yield Finding(
            WarningCode.CAPITALS,
            "The text is all capitals; filters and people take that for spam.",
            next(place for place, character in enumerate(text) if character.isupper()),
        )


def _is_shouted(text: str) -> bool:
    without_links = _LINK.sub(" ", text)
    upper = sum(character.isupper() for character in without_links)
    lower = sum(character.islower() for character in without_links)
    return upper >= _FEWEST_CAPITALS and upper * 10 >= _CAPITALS_OF_TEN * (upper + lower)


# Words ------------------------------------------------------------------------------------------


def _words(text: str, word: str) -> Iterator[int]:
    """Where `word` stands in `text` and is no part of a longer word."""
    place = text.find(word)
    while place >= 0:
        end = place + len(word)
        before, after = _before(text, place), text[end : end + 1]
        inside = (_continues(before) and _continues(word[0])) or (
            _continues(after) and _continues(word[-1])
        )
        if not inside:
            yield place
        place = text.find(word, place + 1)


def _before(text: str, place: int) -> str:
    return text[place - 1] if place else ""


def _plain(text: str) -> str:
    """Composed, without case, with single spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
