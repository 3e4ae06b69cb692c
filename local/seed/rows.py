"""Writing a month down as the facts that Parley would have recorded.

Rows of one partition go together; the ledger is written by its own writer with the month's clock,
so that its chain is as good as any.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from azure.core.pipeline.transport import AioHttpTransport
from azure.data.tables import UpdateMode

from local.seed.month import CAMPAIGNS, OPTED_OUT, Happening, Said, Sent, Told
from shared import settings
from shared.azure.event_grid import Answered, PlatformReport, Received
from shared.azure.storage import StorageAccount
from shared.azure.tables import Entity, Tables
from shared.base import ids, ulid
from shared.base.clock import iso
from shared.base.digests import keyed_digest
from shared.base.tasks import few_at_once
from shared.campaigns.campaign import Campaign, Fate, Phase, Piece, Totals
from shared.campaigns.order import Definition
from shared.campaigns.store import CampaignStore
from shared.conversations import Conversations, Entry, Kind
from shared.conversations.replies import ANSWERS_WITHIN
from shared.messages import facts, one_time_codes
from shared.messages.facts import Outcome
from shared.messages.request import Asked, SendRequest
from shared.optouts import Change, Channel, Direction
from shared.optouts.writer import Writer
from shared.receiving.inbound import entry_of
from shared.rules import keywords
from shared.rules.categories import ONE_TIME_CODE
from shared.rules.conversation_ids import ConversationIds
from shared.rules.delivery_codes import CODES
from shared.rules.keywords import Meaning
from shared.rules.message_states import State
from shared.rules.segments import measure
from shared.rules.senders import Programs
from shared.sending.attempts import new_intent
from shared.sending.decisions import BLOCKED
from shared.sending.entries import entries_of
from shared.settings import Settings

_AT_ONCE: Final = 12
_TRANSACTION: Final = 100
_ANSWERED_AFTER: Final = timedelta(milliseconds=240)
_ACCEPTED: Final = 202
_FORBIDDEN: Final = 403
_MEANINGS: Final = {Meaning.STOP: Direction.OUT, Meaning.START: Direction.IN}


@dataclass(frozen=True, slots=True)
class Written:
    """How much was written."""

    texts: int
    answers: int
    changes: int
    campaigns: int


def write_month(environment: Mapping[str, str], happenings: Sequence[Happening]) -> Written:
    """Write a month into the storage that an app's settings name; twice is once.

    Args:
        environment: the app's settings.
        happenings: in the order of time.

    Raises:
        StorageDown: storage did not answer.
    """
    return asyncio.run(_write(settings.load(environment), happenings))


async def _write(app: Settings, happenings: Sequence[Happening]) -> Written:
    async with _storage(app) as tables:
        writer = _MonthWriter(app, tables)
        for happening in happenings:
            await writer.record(happening)
        await writer.finish()
        return writer.written


@asynccontextmanager
async def _storage(app: Settings) -> AsyncIterator[Tables]:
    transport = AioHttpTransport(use_env_settings=False)
    async with transport:
        yield Tables(StorageAccount(app, transport=transport))


class _MonthWriter:
    """Keeps rows until they can be written together; changes the ledger at once."""

    def __init__(self, app: Settings, tables: Tables) -> None:
        self._app = app
        self._tables = tables
        self._programs = Programs(app.senders)
        self._now = datetime.min.replace(tzinfo=UTC)
        self._ledger = Writer(tables, lambda: self._now, _salt)
        self._rows: dict[tuple[str, str], list[Entity]] = defaultdict(list)
        self._codes: dict[tuple[str, str], Entity] = {}
        self._entries: list[Entry] = []
        self._closed: dict[tuple[str, str], int] = {}
        self._latest: dict[tuple[str, str], Entry] = {}
        self._campaigns: dict[str, list[tuple[str, Sent]]] = defaultdict(list)
        self._counts: Counter[str] = Counter()

    @property
    def written(self) -> Written:
        counts = self._counts
        return Written(counts["texts"], counts["answers"], counts["changes"], len(self._campaigns))

    async def record(self, happening: Happening) -> None:
        """One thing that happened: its rows are kept until `finish`, its ledger change is made."""
        if isinstance(happening, Said):
            await self._said(happening)
        else:
            await self._sent(happening)

    async def finish(self) -> None:
        """Write everything that waits."""
        await few_at_once(
            self._commit,
            [
                (table, rows[first : first + _TRANSACTION])
                for (table, _), rows in self._rows.items()
                for first in range(0, len(rows), _TRANSACTION)
            ],
            _AT_ONCE,
        )
        for mark in self._codes.values():
            await self._tables.put(one_time_codes.TABLE, mark)
        conversations = Conversations(self._tables, ConversationIds(self._app.id_key))
        await conversations.write_all(self._entries)
        store = CampaignStore(self._tables)
        for name, sends in self._campaigns.items():
            await _write_campaign(store, name, sends)

    async def _commit(self, part: tuple[str, Sequence[Entity]]) -> None:
        table, rows = part
        await self._tables.commit(
            table, [("upsert", row, {"mode": UpdateMode.REPLACE}) for row in rows]
        )

    # Texts to people ----------------------------------------------------------------------------

    async def _sent(self, sent: Sent) -> None:
        id_key = self._app.id_key
        drawn = keyed_digest(id_key, "seed", iso(sent.at), sent.sender, sent.text)
        send_id = ulid.new(sent.at, drawn[: ulid.RANDOM_BYTES])
        request = _request(sent, id_key)
        intent = new_intent(
            send_id,
            request,
            measure(sent.text),
            keyed=False,
            trace=None,
            now=sent.at,
            # Like any; but the same in every run.
            nonce=_digest("attempt", send_id).hex()[:16],
        )
        outcomes = [self._outcome(send_id, sent.sender, told) for told in sent.people]
        shards = self._app.message_shards
        self._keep(send_id, facts.intent_row(intent, shards))
        if sent.category == ONE_TIME_CODE:
            mark = one_time_codes.mark_row(sent.at, sent.at, sent.at)
            self._codes[mark["PartitionKey"], mark["RowKey"]] = mark
        self._keep(
            send_id,
            facts.outcome_row(send_id, outcomes, at=sent.at + _ANSWERED_AFTER, shards=shards),
        )
        for told in sent.people:
            if told.status is not None:
                await self._report(send_id, sent, told)
        entries = entries_of(intent, outcomes, self._app.id_key)
        self._latest |= {
            (entry.theirs, entry.ours): entry for entry in entries if entry.kind is Kind.SENT
        }
        self._entries += entries
        self._counts["texts"] += len(sent.people)
        if sent.campaign is not None:
            self._campaigns[sent.campaign].append((send_id, sent))

    def _outcome(self, send_id: str, sender: str, told: Told) -> Outcome:
        if told.blocked:
            sequence = self._closed.get((told.address, sender))
            return Outcome(
                told.address, State.BLOCKED, _FORBIDDEN, BLOCKED, ledger_sequence=sequence
            )
        return Outcome(
            told.address, State.SENT, _ACCEPTED, platform_id=_platform_id(send_id, told.address)
        )

    async def _report(self, send_id: str, sent: Sent, told: Told) -> None:
        message_id = ids.message_id(self._app.id_key, send_id, told.address)
        moment = sent.at + timedelta(seconds=told.seconds)
        report = PlatformReport(
            platform_id=_platform_id(send_id, told.address),
            ours=sent.sender,
            theirs=told.address,
            status=str(told.status),
            details=_details(told),
            attempts=[],
            received=moment,
            received_text=iso(moment),
            tag=ids.platform_tag(send_id, sent.tag),
        )
        self._keep(send_id, facts.report_row(message_id, report, self._app.message_shards))
        if told.code == OPTED_OUT:
            await self._change(
                Channel.PLATFORM_REPORT,
                Direction.OUT,
                said=Said(moment, told.address, sent.sender, report.details),
                rule=f"code/{told.code}",
                cause=message_id,
            )

    # Texts from people --------------------------------------------------------------------------

    async def _said(self, said: Said) -> None:
        platform_id = _platform_id(iso(said.at), said.theirs)
        message_id = ids.inbound_id(platform_id, said.at)
        received = Received(
            platform_id,
            said.theirs,
            said.ours,
            said.text,
            said.at,
            measure(said.text).segments,
            self._answered(said),
        )
        self._keep(message_id, facts.inbound_row(message_id, received, self._app.message_shards))
        keyword = keywords.read(said.text)
        self._entries.append(entry_of(message_id, received, keyword, said.at))
        self._counts["answers"] += 1
        direction = _MEANINGS.get(keyword.intent) if keyword else None
        if keyword is not None and direction is not None:
            await self._change(
                Channel.KEYWORD, direction, said=said, rule=keyword.rule, cause=message_id
            )

    def _answered(self, said: Said) -> Answered | None:
        latest = self._latest.get((said.theirs, said.ours))
        if latest is None or said.at - latest.at > ANSWERS_WITHIN:
            return None
        return Answered(latest.message_id, latest.tag)

    async def _change(
        self, channel: Channel, direction: Direction, *, said: Said, rule: str, cause: str
    ) -> None:
        self._now = said.at + _ANSWERED_AFTER
        change = Change(
            change_id=ids.derived(channel, cause),
            address=said.theirs,
            sender=said.ours,
            program=self._programs.of(said.ours),
            direction=direction,
            channel=channel,
            rule=rule,
            said_at=said.at,
            cause={"messageId": cause},
            words=said.text,
        )
        made = (await self._ledger.make([change]))[0]
        if direction is Direction.OUT:
            self._closed[said.theirs, said.ours] = made.sequence
        self._counts["changes"] += 1

    def _keep(self, any_id: str, row: Entity) -> None:
        self._rows[ids.month_table(any_id), row["PartitionKey"]].append(row)


# Campaigns ---------------------------------------------------------------------------------------


async def _write_campaign(
    store: CampaignStore, name: str, sends: Sequence[tuple[str, Sent]]
) -> None:
    first, last = sends[0][1], sends[-1][1]
    people = [told for _, sent in sends for told in sent.people]
    segments = sum(measure(sent.text).segments * len(sent.people) for _, sent in sends)
    by_sender = {first.sender: segments}
    await store.insert(
        campaign := Campaign(
            campaign_id=name,
            definition=Definition(
                senders=(first.sender,),
                message=CAMPAIGNS[name],
                category=first.category,
                tag=first.tag,
                start_at=first.at,
                list_name=f"{name}.csv",
            ),
            phase=Phase.DONE,
            created_at=first.at - timedelta(hours=3),
            attempt=ulid.new(first.at, _digest("campaign", name)[:10]),
            expanded=True,
            totals=Totals(len(people), len(people), 0, 0, by_sender),
            chunks=1,
            next=1,
            last_slot=first.at,
            eta=last.at,
            finished_at=last.at + _ANSWERED_AFTER,
        )
    )
    await store.list_in_index(campaign)
    await store.write_expansion(name, [Piece(0, 0, 0, 1, (), 0.0, by_sender, len(people))], [])
    chunk = await store.chunk(name, 0)
    assert chunk is not None  # noqa: S101  # written above
    await store.record_chunk(
        name,
        chunk,
        fate=str(Fate.DONE),
        sends=[send_id for send_id, _ in sends],
        doneAt=last.at + _ANSWERED_AFTER,
        settled=False,
    )


# Made-up parts -----------------------------------------------------------------------------------


def _request(sent: Sent, id_key: bytes) -> SendRequest:
    addresses = [told.address for told in sent.people]
    return SendRequest(
        sender=sent.sender,
        message=sent.text,
        asked=tuple(Asked(address, address) for address in addresses),
        tag=sent.tag,
        wants_report=True,
        report_timeout_seconds=None,
        category=sent.category,
        digest=keyed_digest(id_key, "send", sent.sender, sent.text, addresses).hex(),
        campaign=sent.campaign,
    )


def _details(told: Told) -> str:
    if told.code not in CODES or told.status == "Delivered":
        return "No error."
    return f"ErrorCode: {told.code}. ErrorMessage: {CODES[told.code].meaning}"


def _platform_id(*parts: str) -> str:
    return f"Outgoing_{ids.derived('seed', *parts)}"


def _salt(length: int) -> bytes:
    return hashlib.sha256(b"a story needs no secret").digest()[:length]


def _digest(*parts: str) -> bytes:
    return hashlib.sha256("\n".join(parts).encode()).digest()
