"""Quiet hours: the table of both changes of clocks, and the law that the table is an excerpt of."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from shared.rules.timing.local_time import zone
from shared.rules.timing.quiet import SEARCH, QuietHours, built_in_rules, next_allowed, parse_rules
from shared.rules.timing.windows import HoursOfDay, Window
from shared.rules.timing.zones import zones_of

NEW_YORK = "+12125550123"
INDIANAPOLIS = "+13175550123"
PHOENIX = "+16025550123"
LONDON = "+442071838750"
SEOUL = "+821012345678"
SOUTHERN_INDIANA = "+18125550123"  # Eastern and Central time
TOLL_FREE = "+18005550100"
MIAMI = "+13055550123"
PENSACOLA = "+18505550123"
HOUSTON = "+17135550123"
PARIS = "+33612345678"

MINUTE = timedelta(minutes=1)


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _allowed(address: str, asked: datetime, rules: QuietHours | None = None) -> datetime | None:
    window = (rules or built_in_rules()).window_for(address)
    found = next_allowed(asked, zones_of(address), window)
    return None if found is None else found.at


# (number, asked for, allowed from), all in UTC; the same moment twice: it may leave at once.
CHANGES = [
    # New York: forward on 2026-03-08 and 2027-03-14, back on 2026-11-01 and 2027-11-07, at 2:00.
    (NEW_YORK, "2026-03-08T01:59", "2026-03-08T01:59"),
    (NEW_YORK, "2026-03-08T02:00", "2026-03-08T12:00"),
    (NEW_YORK, "2026-03-08T06:59", "2026-03-08T12:00"),
    (NEW_YORK, "2026-03-08T07:00", "2026-03-08T12:00"),
    (NEW_YORK, "2026-03-08T12:00", "2026-03-08T12:00"),
    (NEW_YORK, "2026-03-09T00:59", "2026-03-09T00:59"),
    (NEW_YORK, "2026-03-09T01:00", "2026-03-09T12:00"),
    (NEW_YORK, "2026-11-01T00:59", "2026-11-01T00:59"),
    (NEW_YORK, "2026-11-01T01:00", "2026-11-01T13:00"),
    (NEW_YORK, "2026-11-01T05:30", "2026-11-01T13:00"),
    (NEW_YORK, "2026-11-01T06:30", "2026-11-01T13:00"),
    (NEW_YORK, "2026-11-01T12:59", "2026-11-01T13:00"),
    (NEW_YORK, "2026-11-02T01:59", "2026-11-02T01:59"),
    (NEW_YORK, "2026-11-02T02:00", "2026-11-02T13:00"),
    (NEW_YORK, "2027-03-14T02:00", "2027-03-14T12:00"),
    (NEW_YORK, "2027-11-07T01:00", "2027-11-07T13:00"),
    # Indianapolis has kept New York's clocks since 2006.
    (INDIANAPOLIS, "2026-03-08T02:00", "2026-03-08T12:00"),
    (INDIANAPOLIS, "2026-11-01T01:00", "2026-11-01T13:00"),
    (INDIANAPOLIS, "2027-03-14T02:00", "2027-03-14T12:00"),
    (INDIANAPOLIS, "2027-11-07T01:00", "2027-11-07T13:00"),
    # Phoenix never changes its clocks.
    (PHOENIX, "2026-03-08T03:59", "2026-03-08T03:59"),
    (PHOENIX, "2026-03-08T04:00", "2026-03-08T15:00"),
    (PHOENIX, "2026-11-01T03:59", "2026-11-01T03:59"),
    (PHOENIX, "2026-11-01T04:00", "2026-11-01T15:00"),
    (PHOENIX, "2027-03-14T04:00", "2027-03-14T15:00"),
    (PHOENIX, "2027-11-07T04:00", "2027-11-07T15:00"),
    # London: forward on 2026-03-29 and 2027-03-28, back on 2026-10-25 and 2027-10-31.
    (LONDON, "2026-03-28T20:59", "2026-03-28T20:59"),
    (LONDON, "2026-03-28T21:00", "2026-03-29T07:00"),
    (LONDON, "2026-03-29T01:30", "2026-03-29T07:00"),
    (LONDON, "2026-03-29T20:00", "2026-03-30T07:00"),
    (LONDON, "2026-10-24T19:59", "2026-10-24T19:59"),
    (LONDON, "2026-10-24T20:00", "2026-10-25T08:00"),
    (LONDON, "2026-10-25T20:59", "2026-10-25T20:59"),
    (LONDON, "2026-10-25T21:00", "2026-10-26T08:00"),
    (LONDON, "2027-03-27T21:00", "2027-03-28T07:00"),
    (LONDON, "2027-10-30T20:00", "2027-10-31T08:00"),
    # Seoul never changes its clocks.
    (SEOUL, "2026-03-08T11:59", "2026-03-08T11:59"),
    (SEOUL, "2026-03-08T12:00", "2026-03-08T23:00"),
    (SEOUL, "2026-11-01T12:00", "2026-11-01T23:00"),
    (SEOUL, "2027-03-28T22:59", "2027-03-28T23:00"),
    # Two zones: nine in the evening comes first in one, eight in the morning last in the other.
    (SOUTHERN_INDIANA, "2026-03-08T01:59", "2026-03-08T01:59"),
    (SOUTHERN_INDIANA, "2026-03-08T02:00", "2026-03-08T13:00"),
    (SOUTHERN_INDIANA, "2026-03-08T12:30", "2026-03-08T13:00"),
    (SOUTHERN_INDIANA, "2026-03-09T00:59", "2026-03-09T00:59"),
    (SOUTHERN_INDIANA, "2026-03-09T01:00", "2026-03-09T13:00"),
    (SOUTHERN_INDIANA, "2026-11-01T01:00", "2026-11-01T14:00"),
    (SOUTHERN_INDIANA, "2026-11-01T13:30", "2026-11-01T14:00"),
    (SOUTHERN_INDIANA, "2026-11-02T02:00", "2026-11-02T14:00"),
    (SOUTHERN_INDIANA, "2027-03-14T02:00", "2027-03-14T13:00"),
    (SOUTHERN_INDIANA, "2027-11-07T01:00", "2027-11-07T14:00"),
]


@pytest.mark.parametrize(("address", "asked", "allowed"), CHANGES)
def test_the_changes_of_clocks(address: str, asked: str, allowed: str) -> None:
    """From eight to nine by the recipient's clock, on the days on which clocks change too."""
    assert _allowed(address, _utc(asked)) == _utc(allowed)


@pytest.mark.parametrize(
    ("address", "asked", "allowed"),
    [
        # Day from Guam to Newfoundland: an hour and a half in summer, an hour more in winter.
        (TOLL_FREE, "2026-07-01T15:00", "2026-07-01T22:00"),
        (TOLL_FREE, "2026-07-01T23:29", "2026-07-01T23:29"),
        (TOLL_FREE, "2026-07-01T23:30", "2026-07-02T22:00"),
        (TOLL_FREE, "2026-12-01T00:29", "2026-12-01T00:29"),
        # Florida closes at eight, in both of its zones.
        (MIAMI, "2026-06-01T00:00", "2026-06-01T12:00"),
        (PENSACOLA, "2026-06-01T00:00", "2026-06-01T13:00"),
        # Texas opens at nine, on Sundays at noon.
        (HOUSTON, "2026-06-06T13:00", "2026-06-06T14:00"),
        (HOUSTON, "2026-06-07T14:00", "2026-06-07T17:00"),
        # France closes on Sundays and holidays: Good Friday is none, Easter Monday is one.
        (PARIS, "2026-04-03T10:00", "2026-04-03T10:00"),
        (PARIS, "2026-04-04T18:00", "2026-04-07T06:00"),
        (PARIS, "2026-04-30T18:00", "2026-05-02T06:00"),
        (PARIS, "2026-12-24T19:00", "2026-12-26T07:00"),
    ],
)
def test_built_in_rules(address: str, asked: str, allowed: str) -> None:
    """States and countries with hours of their own are held to them."""
    assert _allowed(address, _utc(asked)) == _utc(allowed)


@pytest.mark.parametrize(
    ("hours", "asked", "allowed"),
    [
        # 2:30 is leapt over in spring: the window opens, and closes, with the leap.
        (("02:30", "12:00"), "2026-03-08T06:00", "2026-03-08T07:00"),
        (("00:00", "02:30"), "2026-03-08T06:59", "2026-03-08T06:59"),
        (("00:00", "02:30"), "2026-03-08T07:00", "2026-03-09T04:00"),
        (("02:00", "03:00"), "2026-03-08T06:00", "2026-03-09T06:00"),
        # 1:30 comes twice in autumn: the window opens at the second and closes at the first.
        (("01:30", "12:00"), "2026-11-01T05:30", "2026-11-01T06:30"),
        (("00:00", "01:30"), "2026-11-01T05:29", "2026-11-01T05:29"),
        (("00:00", "01:30"), "2026-11-01T05:30", "2026-11-02T05:00"),
        (("01:10", "01:50"), "2026-11-01T05:15", "2026-11-02T06:10"),
    ],
)
def test_a_window_with_an_edge_where_clocks_change(
    hours: tuple[str, str], asked: str, allowed: str
) -> None:
    """Where the clock is in doubt, the text waits."""
    rules = parse_rules(json.dumps({"default": dict(zip(("from", "to"), hours, strict=True))}))
    found = next_allowed(_utc(asked), ("America/New_York",), rules.default)
    assert found is not None
    assert found.at == _utc(allowed)


def test_the_reason_names_the_closed_zone_and_the_one_that_opens() -> None:
    """Whoever asks why a text waited reads which clock was the reason."""
    window = built_in_rules().default
    found = next_allowed(_utc("2026-03-08T02:00"), zones_of(SOUTHERN_INDIANA), window)
    assert found is not None
    assert str(found.delay) == (
        "Quiet hours: it was 21:00 on Saturday in America/New_York; allowed from 08:00 on Sunday"
        " 2026-03-08 in America/Chicago."
    )


def test_what_may_leave_at_once_has_no_reason() -> None:
    """Nothing is said to wait that does not."""
    found = next_allowed(_utc("2026-03-08T16:00"), ("America/New_York",), built_in_rules().default)
    assert found is not None
    assert found.delay is None


@pytest.mark.parametrize(
    ("zones", "value"),
    [
        (("Asia/Tokyo", "America/New_York"), {"from": "09:00", "to": "17:00"}),
        (
            ("Europe/Paris",),
            {"from": "09:00", "to": "17:00", "closedOn": [f"06-{day:02d}" for day in range(1, 15)]},
        ),
    ],
)
def test_windows_that_do_not_open_within_eight_days(
    zones: tuple[str, ...], value: dict[str, Any]
) -> None:
    """Zones whose windows never meet, and windows closed for long, are told apart from a wait."""
    rules = parse_rules(json.dumps({"default": value}))
    assert next_allowed(_utc("2026-06-01T10:00"), zones, rules.default) is None


def test_a_text_without_a_zone_is_a_mistake() -> None:
    """Nothing is allowed because nobody was asked."""
    with pytest.raises(ValueError, match="at least one time zone"):
        next_allowed(_utc("2026-06-01T10:00"), (), built_in_rules().default)


ZONES = [
    "America/New_York", "America/Chicago", "America/Phoenix", "Europe/London", "Asia/Seoul",
    "Australia/Lord_Howe", "America/Havana", "America/St_Johns", "Pacific/Guam",
]  # fmt: skip
# A zone and the moment at which its clocks change.
LEAPS = [
    ("America/New_York", "2026-03-08T07:00"), ("America/New_York", "2026-11-01T06:00"),
    ("Europe/London", "2026-03-29T01:00"), ("Europe/London", "2026-10-25T01:00"),
    ("Australia/Lord_Howe", "2026-04-04T15:00"), ("Australia/Lord_Howe", "2026-10-03T15:30"),
    ("America/Havana", "2026-03-08T05:00"), ("America/Havana", "2026-11-01T05:00"),
]  # fmt: skip


@st.composite
def _windows(draw: st.DrawFn) -> Window:
    # Clocks change between midnight and four; edges there are tried more often.
    edges = st.one_of(st.integers(0, 240), st.integers(0, 1440))
    spans = st.tuples(edges, edges).filter(lambda s: s[0] < s[1])
    usual = HoursOfDay(*draw(spans))
    days: list[HoursOfDay | None] = [usual] * 7
    for place in draw(st.sets(st.integers(0, 6), max_size=3)):
        days[place] = draw(st.one_of(st.none(), spans.map(lambda s: HoursOfDay(*s))))
    return Window(tuple(days))


def _open_minutes(place: str, window: Window, first: datetime, last: datetime) -> set[datetime]:
    """By stepping through every minute and looking at the clock, with no other arithmetic.

    A minute is open if the clock has not shown the window's end on that date yet, and will not show
    its beginning, or a time before it, on that date again.
    """
    dates: dict[Any, list[tuple[datetime, int]]] = defaultdict(list)
    moment = first - timedelta(days=2)
    while moment <= last + timedelta(days=2):
        local = moment.astimezone(zone(place))
        dates[local.date()].append((moment, local.hour * 60 + local.minute))
        moment += MINUTE
    found: set[datetime] = set()
    for date, minutes in dates.items():
        span = window.on(date)
        if span is None:
            continue
        late = [moment for moment, clock in minutes if clock >= span.closes]
        early = [moment for moment, clock in minutes if clock <= span.opens]
        found.update(
            moment
            for moment, clock in minutes
            if clock >= span.opens
            and (not early or moment >= early[-1])
            and (not late or moment < late[0])
        )
    return found


@example(
    leap=("America/Havana", "2026-11-01T05:00"),
    minutes=-1,
    others=[],
    window=Window((HoursOfDay(0, 60),) * 7),
)
@settings(deadline=None)
@given(
    leap=st.sampled_from(LEAPS),
    minutes=st.one_of(st.integers(-180, 180), st.integers(-1440, 1440)),
    others=st.lists(st.sampled_from(ZONES), max_size=1),
    window=_windows(),
)
def test_the_law_of_quiet_hours(
    leap: tuple[str, str], minutes: int, others: list[str], window: Window
) -> None:
    """The answer is no earlier than asked for, open in every zone, and no earlier minute is."""
    zones = [leap[0], *others]
    asked = _utc(leap[1]) + minutes * MINUTE
    found = next_allowed(asked, zones, window)
    assume(found is None or found.at - asked <= timedelta(days=1))
    last = asked + timedelta(days=1) if found is None else found.at
    together = set.intersection(*(_open_minutes(z, window, asked, last) for z in zones))
    expected = min((moment for moment in together if asked <= moment <= last), default=None)
    assert (None if found is None else found.at) == expected


@settings(deadline=None)
@given(
    seconds=st.integers(0, 86400 * 400),
    zones=st.lists(st.sampled_from(ZONES), min_size=1, max_size=3, unique=True),
    window=_windows(),
)
def test_asking_again_at_the_answer_changes_nothing(
    seconds: int, zones: list[str], window: Window
) -> None:
    """A text that wakes at its moment finds it allowed, and never waits more than 8 days."""
    asked = _utc("2026-01-01") + timedelta(seconds=seconds)
    found = next_allowed(asked, zones, window)
    if found is not None:
        assert asked <= found.at <= asked + SEARCH
        assert (found.delay is None) == (found.at == asked)
        again = next_allowed(found.at, zones, window)
        assert again is not None
        assert (again.at, again.delay) == (found.at, None)


DAY = {"from": "08:00", "to": "21:00"}


def test_the_most_exact_rule_wins() -> None:
    """The longest prefix, then the state, then the country, then the default."""
    rules = parse_rules(json.dumps({
        "default": DAY,
        "US GB": {"from": "09:00", "to": "20:00"},
        "US-NY": {"from": "10:00", "to": "20:00"},
        "+1212": {"from": "11:00", "to": "20:00"},
        "+1212555": {"from": "12:00", "to": "20:00"},
    }))  # fmt: skip

    def opens(address: str) -> int:
        span = rules.window_for(address).days[0]
        assert span is not None
        return span.opens // 60

    found = {a: opens(a) for a in (SEOUL, LONDON, MIAMI, "+13155550123", "+12126660123", NEW_YORK)}
    assert list(found.values()) == [8, 9, 9, 10, 11, 12]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "is not JSON"),
        ("[]", "must be a JSON object"),
        ("{}", "'default' is missing"),
        ('{"default": 8}', "default must be an object"),
        ('{"default": {"from": "8:00", "to": "21:00"}}', "default.from must be a time such as"),
        ('{"default": {"from": "08:00"}}', "default.to must be a time"),
        ('{"default": {"from": "08:00", "to": "24:30"}}', "default.to must be a time"),
        ('{"default": {"from": "21:00", "to": "08:00"}}', "default: a window that never opens"),
        ('{"default": {"from": "08:00", "to": "08:00"}}', "default: a window that never opens"),
        ('{"default": {"from": "08:00", "to": "21:00", "until": 1}}', "unknown member 'until'"),
        ('{"default": {"from": "08:00", "to": "21:00", "days": {"sun": null}}}', "default.days: u"),
        (
            '{"default": {"from": "08:00", "to": "21:00", "days": {"sunday": {"from": "9"}}}}',
            "default.days.sunday.from must be a time",
        ),
        (
            '{"default": {"from": "08:00", "to": "21:00", "closedOn": ["02-30"]}}',
            r"default.closedOn\[0\] must be a day such as",
        ),
        ('{"default": {"from": "08:00", "to": "21:00", "closedOn": "12-25"}}', "must be a list"),
        ('{"default": {"from": "08:00", "to": "21:00", "source": 1}}', "source must be a text"),
        ('{"default": {"from": "08:00", "to": "21:00"}, "UK": {}}', "UK.from must be a time"),
    ],
)
def test_bad_rules(text: str, complaint: str) -> None:
    """What is wrong with an operator's rules is said with the member's name."""
    with pytest.raises(ValueError, match=complaint):
        parse_rules(text)


@pytest.mark.parametrize("key", ["UK", "fr", "DE-BY", "US-XX", "1212", "+0", "France", "CA-YY"])
def test_a_place_that_nobody_is_at_is_refused(key: str) -> None:
    """A rule that would never apply is a mistake, not a rule."""
    with pytest.raises(ValueError, match="is neither 'default', nor a country"):
        parse_rules(json.dumps({"default": DAY, key: DAY}))


@pytest.mark.parametrize("text", ['"FR": {0}, "FR": {0}', '"FR GF": {0}, "GF": {0}'])
def test_a_place_named_twice_is_refused(text: str) -> None:
    """Neither of two rules for one place is dropped silently."""
    body = text.replace("{0}", json.dumps(DAY))
    with pytest.raises(ValueError, match="is named twice"):
        parse_rules(f'{{"default": {json.dumps(DAY)}, {body}}}')
