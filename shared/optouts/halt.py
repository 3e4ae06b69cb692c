"""The halt: what stops all sending when the ledger's table is no longer what it was.

A table that was restored, failed over or made anew has lost words that people said, and looks like
any other. Row `log:~halt` lies where every check reads, so whoever notices tells all processes at
once: `since`, `why`, and what was known and found. STOPs are written meanwhile.

An operator looks, recovers what was lost, and lifts it. The lift takes the row away and counts
itself in the head, in one transaction, so that a process which still knows more can tell a table
that somebody has looked at from one that was put back again.

What a process knows and the table has lost goes to container `ledger`, blob
`halts/{lifts before}/{process}.json` (`Known.shown`); why it was lifted, to `.../lift.json`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any, Final

from azure.core import MatchConditions
from azure.data.tables import UpdateMode

from shared.azure import telemetry
from shared.azure.blobs import Blobs
from shared.azure.storage import Changed
from shared.azure.tables import etag_of
from shared.base import log
from shared.base.clock import Clock, iso
from shared.base.errors import LedgerHalted, LedgerUnavailable
from shared.base.randomness import Randomness, drawn_uuid
from shared.optouts import rows
from shared.optouts.known import Known
from shared.optouts.rows import Halt, LogHead
from shared.optouts.table import Table
from shared.optouts.witness import Witness, WitnessBlob

CONTAINER: Final = "ledger"
FOLDER: Final = "halts/"
_JSON: Final = "application/json"
_TRIES: Final = 10
_IF_SAME: Final = {"match_condition": MatchConditions.IfNotModified}


@dataclass(frozen=True, slots=True)
class Marks:
    """What lies behind the log.

    Attributes:
        head: where the log stands.
        halt: why nobody is texted, if that is so.
    """

    head: LogHead
    halt: Halt | None


class Halts:
    """Stops all sending, and lets it go on.

    Args:
        blobs: of the record's account, where what a process knows is kept.
        witness: where the ledger stood.
        randomness: for this process's name among the blobs.
    """

    def __init__(
        self,
        table: Table,
        blobs: Blobs,
        witness: WitnessBlob,
        clock: Clock,
        randomness: Randomness,
    ) -> None:
        self._table = table
        self._blobs = blobs
        self._witness = witness
        self._clock = clock
        self._randomness = randomness
        self._process = drawn_uuid(randomness)
        self._told = ""

    async def read_marks(self) -> Marks:
        """The head and the halt; one operation."""
        head, halt = LogHead(), None
        async for row in self._table.between(rows.MARKS, rows.LOG_END):
            if row["RowKey"] == rows.HEAD:
                head = rows.read_head(row, etag_of(row))
            elif row["RowKey"] == rows.HALT:
                halt = rows.read_halt(row, etag_of(row))
        return Marks(head, halt)

    async def keep(self, known: Known) -> None:
        """Keep what this process knows, once, for whoever has to recover what was lost."""
        if known.kept or not known.position:
            return
        name = f"{_folder(known.head.lifts)}{self._process}.json"
        await self._blobs.put(CONTAINER, name, json.dumps(known.shown()).encode(), _JSON)
        known.kept = True
        log.trouble("ledger.kept", blob=name, sequence=known.position)

    async def stop_all(self, knew: LogHead, found: LogHead, why: str) -> LedgerHalted:
        """Halt all sending, unless it is halted; the error that says so.

        Args:
            knew: where the log stood before.
            found: where it stands now.
            why: a sentence.
        """
        halt = Halt(
            since=iso(self._clock()),
            why=why,
            known=knew.sequence,
            known_chain=knew.chain.hex(),
            found=found.sequence,
            found_chain=found.chain.hex(),
            lifts=max(knew.lifts, found.lifts),
        )
        if not await self._table.insert(rows.halt_row(halt)):
            # Somebody else was faster; if it was lifted again meanwhile, the next check finds out.
            halt = (await self.read_marks()).halt or halt
        return self.tell(halt)

    def tell(self, halt: Halt) -> LedgerHalted:
        """Log and count a halt, once; the error that says so to who wanted to send."""
        if self._told != halt.since:
            self._told = halt.since
            telemetry.HALTED.add(1)
            log.trouble(
                "ledger.halted",
                since=halt.since,
                why=halt.why,
                known=halt.known,
                found=halt.found,
            )
        return LedgerHalted(halt.since, halt.why)

    # The witness ----------------------------------------------------------------------------------

    async def hold_against(self, witness: Witness | None, head: LogHead) -> None:
        """See that the log holds what the witness says; the witness was read before the head.

        Raises:
            LedgerHalted: it does not; nobody is texted from here on.
            LedgerUnavailable: it does, but its end is missing.
        """
        # One that was written before a lift says what the operator has accepted as lost.
        if witness is None or witness.head.lifts < head.lifts:
            return
        said = replace(head, etag=None)
        if said == witness.head:
            return
        then = witness.head
        if (then.ledger_id, then.lifts) == (head.ledger_id, head.lifts):
            row = await self._table.get(rows.log_key(then.sequence)) if then.sequence else None
            if not then.sequence or (row is not None and row["chain"] == then.chain.hex()):
                if then.sequence > head.sequence:
                    raise LedgerUnavailable("The opt-out ledger's head is behind its log.")
                return
        raise await self.stop_all(
            then,
            head,
            f"The witness has seen change {then.sequence} of the opt-out ledger, and the table does"
            " not hold it: it was put back to an earlier state, or made anew.",
        )

    async def move_witness(self) -> None:
        """Have the witness say where the ledger stands, if the ledger holds what it said before.

        Raises:
            LedgerHalted: it does not, or sending is halted.
        """
        witness = await self._witness.read()
        marks = await self.read_marks()
        if marks.halt is not None:
            # Every minute anew, so that an alert stays for as long as the halt does.
            self._told = ""
            raise self.tell(marks.halt)
        await self.hold_against(witness, marks.head)
        await self._write_witness(witness, marks.head)

    async def _write_witness(self, witness: Witness | None, head: LogHead) -> None:
        head = replace(head, etag=None)
        if head == (witness.head if witness is not None else LogHead()):
            return
        try:
            await self._witness.move(head, after=witness)
        except Changed:
            # Another run of the timer has said it, and the next one says what is newer.
            log.event("ledger.witness_moved_by_another")

    # The operator ---------------------------------------------------------------------------------

    async def look(self) -> dict[str, Any]:
        """Whether sending is halted, why, and what there is to recover from."""
        witness = await self._witness.read()
        marks = await self.read_marks()
        halt = marks.halt
        lifts = halt.lifts if halt is not None else marks.head.lifts
        return {
            "isHalted": halt is not None,
            "since": halt.since if halt is not None else None,
            "why": halt.why if halt is not None else None,
            "known": _shown(halt.known, halt.known_chain) if halt is not None else None,
            "found": _shown(halt.found, halt.found_chain) if halt is not None else None,
            "head": _shown(marks.head.sequence, marks.head.chain.hex()),
            "witness": (
                _shown(witness.head.sequence, witness.head.chain.hex()) if witness else None
            ),
            "ledgerId": marks.head.ledger_id or None,
            "lifts": marks.head.lifts,
            "kept": await self._kept(lifts),
        }

    async def _kept(self, lifts: int) -> list[str]:
        folder = _folder(lifts)
        return [
            entry.name
            async for entry in self._blobs.list(CONTAINER)
            if entry.name.startswith(folder)
        ]

    async def lift(self, reason: str) -> bool:
        """Let sending go on from the table as it is now; False if it is not halted.

        What a crash cut off, a repeat completes.

        Raises:
            LedgerUnavailable: the table has a log and no head, so that nobody can say where it
                ends; or others wrote all the time.
        """
        for attempt in range(_TRIES):
            if attempt:
                await self._table.pause(attempt)
            marks = await self.read_marks()
            if marks.halt is None:
                witness = await self._witness.read()
                if witness is not None and witness.head.lifts < marks.head.lifts:
                    await self._witness.write_anew(marks.head)
                return False
            lifted = await self._head_after(marks.head, marks.halt)
            await self._keep_reason(marks.halt, lifted, reason)
            try:
                await self._table.commit(_lift(marks, lifted))
            except Changed:
                continue
            await self._witness.write_anew(lifted)
            log.event("ledger.lifted", since=marks.halt.since, sequence=lifted.sequence)
            return True
        raise LedgerUnavailable("Others changed the opt-out ledger all the time; repeat the lift.")

    async def _head_after(self, head: LogHead, halt: Halt) -> LogHead:
        if head.etag is None:
            async for _ in self._table.between(rows.log_key(0), rows.MARKS):
                raise LedgerUnavailable(
                    "The opt-out ledger's table has a log without its row log:~head, so nobody can"
                    " say where the log ends. Restore the table as a whole, then lift the halt."
                )
        return replace(
            head,
            ledger_id=head.ledger_id or drawn_uuid(self._randomness),
            lifts=max(head.lifts, halt.lifts) + 1,
        )

    async def _keep_reason(self, halt: Halt, lifted: LogHead, reason: str) -> None:
        content = {
            "reason": reason,
            "at": iso(self._clock()),
            "since": halt.since,
            "why": halt.why,
            "known": _shown(halt.known, halt.known_chain),
            "head": _shown(lifted.sequence, lifted.chain.hex()),
        }
        name = f"{_folder(halt.lifts)}lift.json"
        await self._blobs.put(CONTAINER, name, json.dumps(content).encode(), _JSON)


def _lift(marks: Marks, lifted: LogHead) -> list[tuple[Any, ...]]:
    halt = marks.halt
    etag = halt.etag if halt is not None else None
    row = rows.head_row(lifted)
    gone = {"PartitionKey": rows.PARTITION, "RowKey": rows.HALT}
    return [
        ("delete", gone, {"etag": etag} | _IF_SAME),
        ("create", row)
        if lifted.etag is None
        else ("update", row, {"mode": UpdateMode.REPLACE, "etag": lifted.etag} | _IF_SAME),
    ]


def _folder(lifts: int) -> str:
    return f"{FOLDER}{lifts:04d}/"


def _shown(sequence: int, chain: str) -> dict[str, Any]:
    return {"sequence": sequence, "chain": chain}
