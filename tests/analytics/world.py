"""A made-up past: sends of every fate, reports late, repeated and out of order, answers, opt-outs.

Written as rows, a hundred at a time, since nothing here is about how they are written; what comes
late is written as in life, by `Record`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from azure.core.pipeline.transport import AsyncHttpTransport

from shared import settings
from shared.analytics.count_rows import TABLE
from shared.analytics.late import LateMarks
from shared.azure.event_grid import Answered, PlatformReport, Received
from shared.azure.storage import StorageAccount
from shared.azure.tables import Entity, Tables
from shared.base import ids, ulid
from shared.base.clock import iso
from shared.messages import facts
from shared.messages.facts import Intent, Outcome
from shared.messages.record import Record
from shared.messages.request import Asked, SendRequest
from shared.optouts import Change, Channel, Direction, Effect, rows
from shared.rules.message_states import State
from shared.services import Services, build
from tests.support.bulk import put_rows
from tests.support.settings import minimal

START = datetime(2026, 10, 31, 21, 30, tzinfo=UTC)
END = START + timedelta(hours=3)
SHARDS = 4
SENDERS = [
    {"sender": "+18005550100", "program": "reminders"},
    {"sender": "+18335550100", "program": "reminders"},
    {"sender": "24680", "program": "offers"},
    {"sender": "CONTOSO"},
]
ODD_TAGS = [
    "",
    "visit-17",
    "=1+1",
    "(other)",
    'a"b,c;d',
    "\t=tab",
    "\N{GRINNING FACE}" * 40,
    "../../x?y#z%2f",
    "x" * 256,
    "' or 1 eq 1",
    "~",
    "null",
]
CODES = ["2000", "4000", "4004", "4005", "4006", "4007", "4020", "5000", "5002", "9999", ""]
GUARDS = [
    "The country of this number (GB) is not among those that may be texted from here.",
    "The daily budget of program 'offers' is used up: 5 segments a UTC day.",
    "Too many one-time codes to this number: at most 5 in 10 minutes.",
]


class FakeClock:
    """A clock that stands where it is put."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def __call__(self) -> datetime:
        return self.moment

    def forward(self, **duration: float) -> None:
        self.moment += timedelta(**duration)


@dataclass
class World:
    """Rows that are there from the start, and facts that come late.

    Attributes:
        rows: of the message tables and of the ledger, by table.
        late: reports that come after their minutes were folded.
        texts: how many recipients there are.
    """

    rows: dict[str, list[Entity]] = field(default_factory=dict)
    late: list[tuple[str, PlatformReport]] = field(default_factory=list)
    texts: int = 0


class Author:
    """Makes up a world.

    Args:
        seed: the same seed makes the same world.
        id_key: from which message ids are derived.
    """

    def __init__(self, seed: int, id_key: bytes) -> None:
        self._random = Random(seed)  # noqa: S311  # the same world each time
        self._id_key = id_key
        self._numbers = iter(range(2_000_000, 9_000_000))
        self.world = World()
        self._sent: list[tuple[Intent, str, datetime]] = []

    def write(self, texts: int) -> World:
        """So many texts, and what people say to them."""
        while self.world.texts < texts:
            self._send(min(self._random.choice([1, 1, 2, 7, 40, 100]), texts - self.world.texts))
        for number in range(texts // 80):
            self._inbound(number)
        self._log(texts // 100)
        return self.world

    def _moment(self) -> datetime:
        return START + timedelta(milliseconds=self._random.randrange((END - START) // _MS))

    def _person(self) -> str:
        number = next(self._numbers)
        return self._random.choice([f"+1425{number}", f"+4474{number:08d}", f"+1204{number}"])

    def _add(self, row: Entity, table: str) -> None:
        self.world.rows.setdefault(table, []).append(row)

    # Sends --------------------------------------------------------------------------------------

    def _send(self, size: int) -> None:
        random = self._random
        asked_at = self._moment()
        attempt = asked_at
        fate = random.random()
        if fate < 0.1:
            # Sent at another time than it was asked for.
            attempt += timedelta(minutes=random.choice([3, 47, 100]))
        request = SendRequest(
            sender=random.choice(SENDERS)["sender"],
            message="Hello",
            asked=tuple(Asked(a, a) for a in (self._person() for _ in range(size))),
            tag=random.choice([*ODD_TAGS, f"order-{random.randrange(3000)}"]),
            wants_report=True,
            report_timeout_seconds=None,
            category=random.choice([None, "marketing", "transactional", "oneTimeCode"]),
            digest="0" * 64,
            campaign=random.choice([None, None, "spring", "autumn"]),
        )
        waiting = 0.1 <= fate < 0.12
        without = 0.12 <= fate < 0.15
        intent = Intent(
            send_id=ulid.new(asked_at, random.randbytes(10)),
            request=request,
            segments=random.choice([1, 1, 2, 5]),
            encoding="GSM-7",
            keyed=False,
            created_at=asked_at,
            first_attempt_at=attempt,
            attempt_at=attempt + timedelta(seconds=random.choice([0, 0, 40])),
            doubt_since=None if waiting or (without and random.random() < 0.5) else attempt,
            ended_at=attempt if without else None,
            error="TooManyRequests" if without else None,
            attempt="" if waiting else "00",
            send_at=attempt if waiting else None,
            canceled=frozenset(
                entry.to for entry in request.asked if without and random.random() < 0.2
            ),
        )
        self.world.texts += size
        table = ids.month_table(intent.send_id)
        self._add(facts.intent_row(intent, SHARDS), table)
        if waiting:
            return
        outcomes = [] if without else [self._outcome(address) for address in request.addresses()]
        if not without:
            at = attempt + timedelta(milliseconds=random.randrange(2000))
            self._add(facts.outcome_row(intent.send_id, outcomes, at=at, shards=SHARDS), table)
        for address in request.addresses():
            self._reports(intent, address)
            self._sent.append((intent, address, attempt))

    def _outcome(self, address: str) -> Outcome:
        random = self._random
        kind = random.random()
        if kind < 0.85:
            return Outcome(address, State.SENT, 202, platform_id="Outgoing_1")
        if kind < 0.9:
            return Outcome(address, State.UNCERTAIN, 202)
        if kind < 0.93:
            return Outcome(address, State.FAILED, random.choice([400, 429, 500]), error="No.")
        if kind < 0.95:
            return Outcome(address, State.BLOCKED, 403, error="Blocked.", ledger_sequence=7)
        if kind < 0.98:
            return Outcome(address, State.BLOCKED, 403, error=random.choice(GUARDS))
        state = random.choice([State.EXPIRED, State.CANCELED])
        return Outcome(address, state, 410, error="Gone.")

    def _reports(self, intent: Intent, address: str) -> None:
        random = self._random
        message_id = ids.message_id(self._id_key, intent.send_id, address)
        for _ in range(random.choices([0, 1, 2, 3], [10, 75, 10, 5])[0]):
            took = random.choice([random.uniform(-1, 20), random.uniform(0, 200), 40_000.5])
            received = intent.first_attempt_at + timedelta(seconds=took)
            good = random.random() < 0.8
            code = "2000" if good else random.choice(CODES)
            report = PlatformReport(
                platform_id="Outgoing_1",
                ours=intent.request.sender,
                theirs=address,
                status="Delivered" if good else "Failed",
                details=f"ErrorCode: {code}. ErrorMessage: x." if code else "Odd.",
                attempts=[],
                received=received,
                received_text=iso(received),
                tag="",
            )
            if random.random() < 0.03:
                self.world.late.append((message_id, report))
                if random.random() < 0.3:
                    self.world.late.append((message_id, report))
            else:
                self._add(facts.report_row(message_id, report, SHARDS), ids.month_table(message_id))

    # People -------------------------------------------------------------------------------------

    def _inbound(self, number: int) -> None:
        random = self._random
        intent, address, attempt = random.choice(self._sent)
        answered = ids.message_id(self._id_key, intent.send_id, address)
        at = attempt + timedelta(seconds=random.uniform(1, 3000))
        received = Received(
            platform_id=f"Incoming_{number}",
            theirs=address,
            ours=intent.request.sender,
            text=random.choice(["Thanks!", "HELP", "STOP", "info", "", "\u00bfQu\u00e9?"]),
            received=at,
            segments=1,
            in_reply_to=Answered(answered, intent.request.tag or None)
            if random.random() < 0.8
            else None,
        )
        message_id = ids.inbound_id(received.platform_id, at)
        self._add(facts.inbound_row(message_id, received, SHARDS), ids.month_table(message_id))
        self._sent.append((intent, address, attempt))

    def _log(self, changes: int) -> None:
        random = self._random
        times = sorted(self._moment() for _ in range(changes))
        for sequence, time in enumerate(times, 1):
            intent, address, _ = random.choice(self._sent)
            cause = random.choice(["", ids.message_id(self._id_key, intent.send_id, address)])
            change = Change(
                change_id=f"change-{sequence}",
                address=address,
                sender=intent.request.sender,
                program="reminders",
                direction=random.choice([Direction.OUT, Direction.OUT, Direction.IN]),
                channel=Channel.KEYWORD,
                rule="keyword/STOP",
                said_at=time,
                cause={"messageId": cause} if cause else {"requestId": "r"},
            )
            # Clocks of different processes are not one.
            skewed = time + timedelta(seconds=random.choice([0, 0, -90, 30]))
            effect = random.choice([Effect.APPLIED, Effect.APPLIED, Effect.SUPERSEDED])
            row = rows.log_row(
                change,
                sequence=sequence,
                recorded=iso(skewed),
                effect=effect,
                salts=rows.Salts.drawn(bytes(32)),
                before=rows.NO_CHAIN,
            )
            self._add(row, rows.TABLE)


_MS = timedelta(milliseconds=1)


class Account:
    """A storage account of the rollups' own, and Parley's parts over it."""

    def __init__(self, connection_string: str, network: AsyncHttpTransport[Any, Any]) -> None:
        self.settings = {**minimal(connection_string), "PARLEY_SENDERS": json.dumps(SENDERS)}
        self._loaded = settings.load(self.settings)
        self.network = network
        self.storage = Tables(StorageAccount(self._loaded, transport=network))

    @property
    def id_key(self) -> bytes:
        return self._loaded.id_key

    def parts(
        self, clock: FakeClock, transport: AsyncHttpTransport[Any, Any] | None = None
    ) -> Services:
        """Everything wired as in the app."""
        return build(self._loaded, transport=transport or self.network, clock=clock)

    def record(self, clock: FakeClock) -> Record:
        """A record as another process has it."""
        return Record(self.storage, SHARDS, LateMarks(self.storage, clock))

    async def clear(self) -> None:
        """No facts and no counts."""
        for table in await self.storage.tables("messages"):
            await self.storage.drop_table(table)
        for table in (rows.TABLE, TABLE):
            await self.storage.drop_table(table)
        # As a deployment has it.
        await self.storage.make_table(rows.TABLE)

    async def put(self, world: World) -> None:
        """Write what is there from the start."""
        for table, found in world.rows.items():
            await self.storage.make_table(table)
            await put_rows(self.settings["PARLEY_STORAGE"], table, found)

    async def rollups(self) -> dict[tuple[str, str], Entity]:
        """What is counted: all rows of minutes, hours and days."""
        found = {}
        async for row in self.storage.query(TABLE, "PartitionKey ge @low", low=""):
            if row["PartitionKey"].partition("-")[0] in {"minute", "hour", "day"}:
                found[row["PartitionKey"], row["RowKey"]] = dict(row)
        return found


async def run_until_done(parts: Services, clock: FakeClock) -> None:
    """Run the timer, minute by minute, until there is nothing left to fold again."""
    # Marks that were put just now are due by then, and settled.
    clock.forward(minutes=9)
    for _ in range(200):
        await parts.analytics.timer.run()
        state = await parts.analytics.timer.state()
        assert state is not None
        before = clock.moment
        clock.forward(minutes=1)
        caught_up = before - state.folded_up_to < timedelta(minutes=3)
        heeded = before - state.marks_up_to < timedelta(minutes=4)
        if caught_up and heeded and not state.again:
            return
    raise AssertionError("the fold never came to an end")
