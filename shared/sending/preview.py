"""What a send would come to, without sending: cost, costly characters, who is blocked and why.

Takes the body of a send and reads it by the same rules, so that what passes here passes there.
"""

from __future__ import annotations

from typing import Any

from shared import segments
from shared.ledger import Ledger
from shared.sending.request import SendRequest
from shared.sending.send import BLOCKED
from shared.storage import every


async def preview(request: SendRequest, ledger: Ledger) -> dict[str, Any]:
    """The preview of a request, as the interface shows it.

    Raises:
        LedgerUnavailable: who is blocked cannot be said.
    """
    await ledger.news()
    measure = segments.measure(request.message)
    plain = segments.in_gsm7(request.message)
    plain_measure = segments.measure(plain)
    items = []
    for asked in request.asked:
        sequence = ledger.closed_by(asked.address, request.sender) if asked.address else None
        items.append((asked, sequence))
    sequences = list(dict.fromkeys(sequence for _, sequence in items if sequence is not None))
    entries = await every(*(ledger.entry(sequence) for sequence in sequences))
    why = dict(zip(sequences, entries, strict=True))
    reachable = {asked.address for asked, sequence in items if asked.address and sequence is None}
    return {
        "encoding": str(measure.encoding),
        "segments": measure.segments,
        "units": measure.units,
        "unitsPerSegment": measure.units_per_segment,
        "totalSegments": measure.segments * len(reachable),
        "costlyCharacters": [
            {
                "character": costly.character,
                "codePoint": " ".join(f"U+{ord(c):04X}" for c in costly.character),
                "position": costly.position,
                "count": costly.count,
                "standIn": costly.stand_in,
            }
            for costly in measure.costly
        ],
        "withStandIns": {
            "message": plain,
            "encoding": str(plain_measure.encoding),
            "segments": plain_measure.segments,
        }
        if measure.costly
        else None,
        "recipients": [
            {
                "to": asked.to,
                "address": asked.address,
                "wouldSend": asked.address is not None and sequence is None,
                "errorMessage": BLOCKED if sequence is not None else asked.refusal,
                "blockedBy": why.get(sequence) if sequence is not None else None,
            }
            for asked, sequence in items
        ],
    }
