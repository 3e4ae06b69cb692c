"""What happened in a month that never was: pure, and the same for one seed and one end.

A company with a practice (reminders that people confirm), a shop (a campaign a week), sign-in
codes, a line for its customers in Britain and parcel notices. People answer, ask, leave and come
back; one afternoon a carrier has trouble.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final

DAYS: Final = 30
REMINDERS: Final = "+18005550100"
OFFERS: Final = "24680"
SERVICE: Final = "+12065550100"
BRITAIN: Final = "+447400123456"
NOTICES: Final = "CONTOSO"

DELIVERED: Final = "Delivered"
FAILED: Final = "Failed"
OPTED_OUT: Final = 4007

# 555-0100 to 555-0199 are kept free for stories in every area code.
_AREAS: Final = ("206", "425", "503", "415", "512", "312", "617", "305")
_BRITISH: Final = "+4474001%05d"
_GERMAN: Final = "+49151123%05d"
_NAMES: Final = (
    "Ann",
    "Ben",
    "Chloé",
    "Dae-jung",
    "Elif",
    "Farid",
    "Grace",
    "Hugo",
    "Ines",
    "Jonas",
    "Kim",
    "Lena",
    "Maya",
    "Noor",
    "Omar",
    "Priya",
)
_DOCTORS: Final = ("Dr Patel", "Dr Lindqvist", "Dr Moreau", "Dr Tanaka")
_HOURS: Final = ("8:30", "9:15", "10:00", "11:20", "13:40", "15:00", "16:10")
_QUESTIONS: Final = (
    "Can I come at 11 instead?",
    "Is there parking nearby?",
    "Sorry, I'm stuck in traffic, 15 min late",
    "Do I need to bring my insurance card?",
    "진료 시간을 오후로 바꿀 수 있을까요?",
    "Can we move it to next week? My kid is ill 🤒",
)
_ANSWERS: Final = (
    "Of course. We have moved you to 11:00.",
    "Yes, behind the house, free for two hours.",
    "No problem, we will wait for you.",
    "Please bring it, it takes a minute.",
    "네, 오후 3시로 옮겨 드렸습니다.",
    "Get well soon! How about Tuesday at 9:15?",
)
# One has the curly apostrophes that a word processor makes, and costs the double for it.
CAMPAIGNS: Final = {
    "autumn-coats": "Contoso: {name}, coats are 20% off until Sunday. Reply STOP to end.",
    "members-evening": (
        "Contoso: {name}, you\u2019re invited: members\u2019 evening on Thursday, 6 pm."
        " Drinks, music and 15% off everything. Reply STOP to end."
    ),
    "last-sizes": "Contoso: last sizes, half price, from 10 am. Reply STOP to end.",
    "gift-cards": "Contoso: {name}, a gift card of $10 waits for you. Reply STOP to end.",
}
_SLOTS: Final = (26, 19, 12, 5)
_TROUBLE_DAYS_AGO: Final = 9
_TROUBLE_HOURS: Final = range(19, 23)
_CHUNK: Final = 100


@dataclass(frozen=True, slots=True)
class Told:
    """What came of one recipient of a send.

    Attributes:
        address: E.164.
        blocked: whether the ledger had closed it, so that the platform was never asked.
        status: of the delivery report; None where none came.
        code: of the delivery report.
        seconds: from the send to the report.
    """

    address: str
    blocked: bool = False
    status: str | None = None
    code: int = 2000
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Sent:
    """A send.

    Attributes:
        at: when.
        sender: from whom.
        text: what it said.
        people: to whom, and what came of it.
        category: as a send has it.
        tag: the application's.
        campaign: of which it was a part.
    """

    at: datetime
    sender: str
    text: str
    people: tuple[Told, ...]
    category: str
    tag: str = ""
    campaign: str | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """A text from a person."""

    at: datetime
    theirs: str
    ours: str
    text: str


Happening = Sent | Said


@dataclass(slots=True)
class _World:
    chance: random.Random
    start: datetime
    until: datetime
    happenings: list[Happening] = field(default_factory=list)


def month(until: datetime, seed: int, *, later: timedelta = timedelta()) -> list[Happening]:
    """The thirty days before a moment, in the order of time.

    Args:
        until: their end.
        seed: of all that chance decides.
        later: than its hours say does everything happen. Those hours are of UTC, in which the
            company's day is from 13 to 29, and the month begins at a midnight.
    """
    end = until - later
    midnight = end.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    world = _World(random.Random(seed), midnight - timedelta(days=DAYS - 1), end)  # noqa: S311
    for day in range(DAYS):
        date = world.start + timedelta(days=day)
        growth = 0.85 + 0.3 * day / DAYS
        weekend = date.weekday() >= 5  # noqa: PLR2004
        _reminders(world, date, round((16 if weekend else 64) * growth))
        _codes(world, date, round((30 if weekend else 44) * growth))
        _britain(world, date, round((4 if weekend else 15) * growth))
        _notices(world, date, 6 if weekend else 9)
    for days_ago, (name, text) in zip(_SLOTS, CAMPAIGNS.items(), strict=True):
        _campaign(world, midnight - timedelta(days=days_ago), name, text)
    past = [happening for happening in world.happenings if happening.at < end]
    past.sort(key=lambda happening: happening.at)
    return [replace(went, at=went.at + later) for went in _as_it_went(past, end)]


def _as_it_went(happenings: list[Happening], until: datetime) -> Iterator[Happening]:
    """The same, where nobody is texted after having left, and no report comes from the future."""
    out: set[tuple[str, str]] = set()
    for happening in happenings:
        match happening:
            case Said():
                word = happening.text.strip().upper()
                if (happening.theirs, happening.ours) in out and word != "START":
                    # Who hears nothing any more answers nothing.
                    continue
                if word == "STOP":
                    out.add((happening.theirs, happening.ours))
                elif word == "START":
                    out.discard((happening.theirs, happening.ours))
                yield happening
            case Sent():
                people = tuple(
                    Told(told.address, blocked=True)
                    if (told.address, happening.sender) in out
                    else told
                    if happening.at + timedelta(seconds=told.seconds) < until
                    else Told(told.address)
                    for told in happening.people
                )
                out |= {(p.address, happening.sender) for p in people if p.code == OPTED_OUT}
                yield replace(happening, people=people)


# The company's senders ---------------------------------------------------------------------------


def _reminders(world: _World, date: datetime, count: int) -> None:
    chance = world.chance
    for _ in range(count):
        at = _moment(world, date, first=15, last=25)
        person, name = _american(chance)
        text = (
            f"Contoso Dental: {name}, you see {chance.choice(_DOCTORS)} tomorrow at"
            f" {chance.choice(_HOURS)}. Reply C to confirm, STOP to end."
        )
        _send(
            world, Sent(at, REMINDERS, text, (_told(world, person, at),), "transactional", "visit")
        )
        _answers(world, at, person)


def _answers(world: _World, at: datetime, person: str) -> None:
    chance = world.chance
    draw = chance.random()
    when = at + timedelta(seconds=chance.lognormvariate(6.2, 1.3))
    if draw < 0.41:  # noqa: PLR2004
        _say(
            world,
            Said(
                when, person, REMINDERS, chance.choice(("C", "C", "C", "c", "Yes", "Ok, thanks!"))
            ),
        )
    elif draw < 0.46:  # noqa: PLR2004
        which = chance.randrange(len(_QUESTIONS))
        _say(world, Said(when, person, REMINDERS, _QUESTIONS[which]))
        answered = when + timedelta(minutes=chance.uniform(2, 25))
        _send(
            world,
            Sent(
                answered,
                REMINDERS,
                _ANSWERS[which],
                (_told(world, person, answered),),
                "transactional",
                "desk",
            ),
        )
        if chance.random() < 0.6:  # noqa: PLR2004
            thanks = answered + timedelta(minutes=chance.uniform(1, 9))
            _say(
                world,
                Said(
                    thanks,
                    person,
                    REMINDERS,
                    chance.choice(("Thank you!", "👍", "Perfect, see you then")),
                ),
            )
    elif draw < 0.468:  # noqa: PLR2004
        _leave(world, when, person, REMINDERS, returns=0.45)
    elif draw < 0.474:  # noqa: PLR2004
        _say(world, Said(when, person, REMINDERS, "HELP"))


def _codes(world: _World, date: datetime, count: int) -> None:
    for _ in range(count):
        at = _moment(world, date, first=13, last=29)
        person, _name = _american(world.chance)
        text = (
            f"{world.chance.randrange(10**6):06d} is your Contoso code. Never tell it to anybody."
        )
        _send(world, Sent(at, SERVICE, text, (_told(world, person, at),), "oneTimeCode", "sign-in"))


def _britain(world: _World, date: datetime, count: int) -> None:
    chance = world.chance
    for _ in range(count):
        at = _moment(world, date, first=8, last=18)
        person = _BRITISH % chance.randrange(70)
        hours = chance.choice(("8 and 10", "10 and 12", "13 and 15"))
        text = f"Contoso: your engineer comes between {hours}. Text us to change it."
        _send(
            world, Sent(at, BRITAIN, text, (_told(world, person, at),), "transactional", "engineer")
        )
        if chance.random() < 0.16:  # noqa: PLR2004
            when = at + timedelta(seconds=chance.lognormvariate(6.5, 1.1))
            _say(
                world,
                Said(
                    when,
                    person,
                    BRITAIN,
                    chance.choice(
                        ("Cheers", "Could it be the afternoon?", "Nobody home until 11, sorry")
                    ),
                ),
            )


def _notices(world: _World, date: datetime, count: int) -> None:
    for _ in range(count):
        at = _moment(world, date, first=7, last=17)
        person = _GERMAN % world.chance.randrange(60)
        _send(
            world,
            Sent(
                at,
                NOTICES,
                "Ihr Paket ist unterwegs und kommt heute zwischen 14 und 17 Uhr.",
                (_told(world, person, at),),
                "transactional",
                "parcel",
            ),
        )


def _campaign(world: _World, date: datetime, name: str, text: str) -> None:
    chance = world.chance
    members = [number for number, _ in _everybody()]
    chance.shuffle(members)
    at = date + timedelta(hours=18, minutes=chance.randrange(40))
    rows = [(number, _name_of(number)) for number in members[:480]]
    for first in range(0, len(rows), _CHUNK):
        chunk = rows[first : first + _CHUNK]
        named: dict[str, list[str]] = {}
        for number, person in chunk:
            named.setdefault(text.replace("{name}", person), []).append(number)
        for words, numbers in named.items():
            people = tuple(_told(world, number, at) for number in numbers)
            _send(world, Sent(at, OFFERS, words, people, "marketing", "offers", name))
            for number in numbers:
                draw, when = (
                    chance.random(),
                    at + timedelta(seconds=chance.lognormvariate(7.0, 1.4)),
                )
                if draw < 0.017:  # noqa: PLR2004
                    _leave(world, when, number, OFFERS, returns=0.1)
                elif draw < 0.055:  # noqa: PLR2004
                    _say(
                        world,
                        Said(
                            when,
                            number,
                            OFFERS,
                            chance.choice(
                                ("Nice, thanks", "Until when?", "Is that online too?", "love it 😍")
                            ),
                        ),
                    )
        at += timedelta(seconds=chance.uniform(2, 5))


# People and carriers -----------------------------------------------------------------------------


@cache
def _everybody() -> list[tuple[str, str]]:
    """All Americans, with their names; the company's own numbers lie behind them."""
    numbers = [f"+1{area}5550{last}" for area in _AREAS for last in range(101, 181)]
    return [(number, _name_of(number)) for number in numbers]


def _name_of(number: str) -> str:
    return _NAMES[sum(ord(digit) * place for place, digit in enumerate(number)) % len(_NAMES)]


def _american(chance: random.Random) -> tuple[str, str]:
    everybody = _everybody()
    return everybody[min(int(chance.expovariate(1 / 160)), len(everybody) - 1)]


def _leave(world: _World, when: datetime, person: str, ours: str, *, returns: float) -> None:
    chance = world.chance
    _say(world, Said(when, person, ours, chance.choice(("STOP", "Stop", "stop"))))
    if chance.random() < returns:
        _say(world, Said(when + timedelta(days=chance.uniform(0.01, 6)), person, ours, "START"))


def _told(world: _World, address: str, at: datetime) -> Told:
    chance = world.chance
    trouble = (world.until - at).days == _TROUBLE_DAYS_AGO and at.hour in _TROUBLE_HOURS
    seconds = min(chance.lognormvariate(1.35, 0.75) * (30 if trouble else 1), 40_000.0)
    draw = chance.random() / (9 if trouble else 1)
    for limit, code in (
        (0.011, 4004),
        (0.019, 4005),
        (0.026, 4006),
        (0.030, 5002),
        (0.0315, OPTED_OUT),
    ):
        if draw < limit:
            return Told(address, status=FAILED, code=code, seconds=seconds * 3)
    if draw < 0.033:  # noqa: PLR2004
        return Told(address)
    return Told(address, status=DELIVERED, seconds=seconds)


def _moment(world: _World, date: datetime, *, first: int, last: int) -> datetime:
    """A moment of a day, more often in the middle of its hours; hours are of UTC."""
    hour = first + (last - first) * world.chance.betavariate(2.2, 2.4)
    return date + timedelta(hours=hour)


def _send(world: _World, sent: Sent) -> None:
    world.happenings.append(sent)


def _say(world: _World, said: Said) -> None:
    world.happenings.append(said)
