"""Texts that ask people to answer with a word which opts them out, or in, for another purpose.

"Reply CANCEL to cancel your appointment" is the commonest way to lose a customer by accident: by 47
CFR 64.1200(a)(10) CANCEL, END and QUIT must count, so only the text can be mended.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from shared.rules import keywords
from shared.rules.keywords import Meaning

# Invitations to reply, without case; the word itself follows at once or in quotation marks.
INVITATIONS: Final = (
    "reply|text|txt|send|sms|répondez|repondez|envoyez|tapez|responde|responda|envía|envia|envie|"
    "antworte|antworten|antwort|sende|senden|stuur|svar|skicka|vastaa|rispondi|invia|wyślij|ответьте|"
    "отправьте"
)
INVITED: Final = re.compile(
    rf"(?:{INVITATIONS})\s+(?:with\s+|by\s+|avec\s+|con\s+|com\s+|mit\s+)?[\"'\u2018-\u201f\u00ab]?\s*\Z",
    re.IGNORECASE,
)
_WORDS: Final = "|".join(
    sorted(
        {
            re.escape(spelling).replace(r"\ ", "[ -]")
            for row in keywords.TABLE
            for spelling in (row.word, *row.spellings)
        },
        key=len,
        reverse=True,
    )
)
_KEYWORD: Final = re.compile(rf"(?<![\w-])(?:{_WORDS})(?![\w-])", re.IGNORECASE)
_QUOTES: Final = "\"'\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u00ab\u00bb"
# What an answer is for: behind the word, up to the end of the clause.
_PURPOSE: Final = re.compile(
    rf"[{_QUOTES}]?(?:\s+(?:to\s+(?:[0-9]{{3,8}}|us)\s+)?(?P<word>to|for|if|when|and|so|pour|para|"
    rf"per|um|zu|wenn|om|voor|si)\s+|\s*=\s*)(?P<purpose>[^.!?\n]{{1,80}})",
    re.IGNORECASE,
)
# Or before it: "To cancel your visit, reply CANCEL".
_PURPOSE_BEFORE: Final = re.compile(
    rf"(?:\A|[.!?;:\n]|\bor\b)\s*(?:please\s+)?(?P<word>to|for|if|pour|para|per|um|wenn|om|si)\s+"
    rf"(?P<purpose>[^.!?\n]{{1,80}}?)[,:]?\s*(?:please\s+|bitte\s+)?(?:just\s+)?(?:{INVITATIONS})\s+"
    rf"(?:with\s+|by\s+|avec\s+|con\s+|com\s+|mit\s+)?[{_QUOTES}]?\s*\Z",
    re.IGNORECASE,
)
_ENGLISH: Final = frozenset({"to", "for", "if", "when", "and", "so", ""})
# Another offer begins here: "to cancel your visit or HELP for help".
_NEXT_OFFER: Final = re.compile(
    r",?\s+(?:or|and|,)\s+(?:reply\s+|text\s+)?[A-Z]{1,12}\b|,\s*[A-Z]{2,12}\b|;|\s/\s"
)
# Words about the texts themselves; with one of them, ending and starting is meant as it is read.
_ABOUT_TEXTS: Final = re.compile(
    r"\b(?:texts?|texting|messages?|messaging|msgs?|sms|mms|alerts?|notifications?|reminders?|"
    r"updates?|offers?|deals?|marketing|promos?|promotions?|ads?|news|newsletters?|subscriptions?|"
    r"receiving|getting|receive|get|hear(?:ing)?|contacted|communications?|list|program(?:me)?|"
    r"service|this|these|them|all|list|future|more)\b",
    re.IGNORECASE,
)
_LEAVING_BARE: Final = re.compile(
    r"(?:stop|end|quit|cancel|leave|exit|revoke|decline|opt[ -]?out|unsubscribe|unsub|remove)"
    r"(?:\s+(?:now|anytime|at any time|here|it|us))?\W*",
    re.IGNORECASE,
)
_SURELY_LEAVING: Final = re.compile(
    r"\b(?:unsubscrib\w*|unsub|opt(?:ing)?[ -]?out|optout|opt[ -]?outs?|be removed|removed)\b",
    re.IGNORECASE,
)
_LEAVING_VERB: Final = re.compile(
    r"\b(?:stop\w*|end|quit|cancel\w*|leave|exit|revoke\w*|decline\w*|remove\w*|no longer|not|no|"
    r"don't|block|disable|turn off|mute|halt|discontinue)\b",
    re.IGNORECASE,
)
_JOINING: Final = re.compile(
    r"\b(?:re-?)?(?:subscrib\w*|join\w*|opt(?:ing)?[ -]?(?:back )?in|sign(?:ing)? up|enroll?\w*|"
    r"undo|unstop|again|back in)\b|\A(?:start|restart|resume)\W*\Z",
    re.IGNORECASE,
)
_JOINING_VERB: Final = re.compile(
    r"\b(?:start|restart|resume|begin|receive|get|continue|keep|turn on|enable)\w*\b", re.IGNORECASE
)
_HELPING: Final = re.compile(
    r"\b(?:help|info\w*|support|assist\w*|aide|terms|details|questions?|contact|more|options)\b",
    re.IGNORECASE,
)
# Of a purpose in another language only this is understood: what a customer has, not a list.
_BUSINESS: Final = re.compile(
    r"\b(?:termin\w*|buchung\w*|bestellung\w*|reservierung\w*|rendez-vous|rdv|commande|réservation|"
    r"cita|pedido|reserva|appuntamento|ordine|prenotazione|consulta|agendamento|afspraak|boeking|"
    r"bestelling)\b",
    re.IGNORECASE,
)
_BEFORE: Final = 160
# Where an offer begins without an invitation: "..., CANCEL to cancel", "or STOP to end".
_OFFER_BEGINS: Final = re.compile(
    rf"(?:\A|[{_QUOTES}.!?;:,/(\n]|\b(?:or|and|say|just|please|ou|oder|o|und|y|e))\s*\Z",
    re.IGNORECASE,
)


class OtherUse(NamedTuple):
    """A keyword that a text asks for, for something that is not what it does.

    Attributes:
        word: as it is written.
        meaning: what it does.
        position: in code points.
    """

    word: str
    meaning: Meaning
    position: int


def other_uses(text: str, *, shouted: bool) -> Iterator[OtherUse]:
    """Keywords that people are asked to answer with although something else is meant.

    Args:
        text: as it would be sent.
        shouted: whether it is in capitals throughout, so that capitals alone say nothing.
    """
    for found in _KEYWORD.finditer(text):
        keyword = keywords.read(found[0])
        before, behind = text[max(0, found.start() - _BEFORE) : found.start()], text[found.end() :]
        invited = INVITED.search(before) is not None
        quoted = before != "" and before[-1] in _QUOTES
        shown = found[0].isupper() and not shouted
        if keyword is None or not (invited or ((shown or quoted) and _OFFER_BEGINS.search(before))):
            continue
        purpose = _PURPOSE.match(behind)
        if purpose is None and invited:
            purpose = _PURPOSE_BEFORE.search(before)
        if purpose is not None and _is_other(keyword.intent, purpose):
            yield OtherUse(found[0], keyword.intent, found.start())


def _is_other(meaning: Meaning, found: re.Match[str]) -> bool:
    purpose = _NEXT_OFFER.split(found["purpose"])[0].strip()
    if (found["word"] or "").lower() not in _ENGLISH:
        return _BUSINESS.search(purpose) is not None
    if meaning is Meaning.HELP:
        return _HELPING.search(purpose) is None
    about_texts = _ABOUT_TEXTS.search(purpose) is not None
    if meaning is Meaning.START:
        return not (
            _JOINING.search(purpose) or (about_texts and _JOINING_VERB.search(purpose) is not None)
        )
    return not (
        _SURELY_LEAVING.search(purpose)
        or _LEAVING_BARE.fullmatch(purpose)
        or (about_texts and _LEAVING_VERB.search(purpose) is not None)
    )
