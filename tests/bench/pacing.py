"""How much of a sender's rate a campaign achieves, over two functions hosts, without a 429.

    python -m tests.bench.pacing [--minutes 3] [--rate 200]

The simulated platform counts as ACS does: so many messages within any sixty seconds. It takes as
long as it says.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp

from local.ports import Ports
from local.stack import ROOT, Stack, StackOptions
from shared.base.clock import from_iso
from tests.bench.stage import Stage
from tests.campaigns.support import campaign, order, ordered
from tests.support.client import Parley, Platform, send_body
from tests.support.parts import parts_of

_LOOK_SECONDS = 1.0
_A_MOMENT = timedelta(seconds=1)
_SENDERS = {200: "+18005550100", 1500: "24680"}


def main(arguments: list[str]) -> int:
    """Run; print what was achieved of what was allowed."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.pacing", description=__doc__)
    parser.add_argument("--minutes", type=float, default=3, help="how long a campaign shall last")
    parser.add_argument("--rate", type=int, choices=sorted(_SENDERS), default=200)
    options = parser.parse_args(arguments)
    found = asyncio.run(_paced(options.rate, options.minutes))
    sys.stdout.write(json.dumps(found, indent=2) + "\n")
    return 0


async def _paced(rate: int, minutes: float) -> dict[str, Any]:
    sender = _SENDERS[rate]
    logs = Path(tempfile.mkdtemp(prefix="parley-pacing-"))
    senders = ({"sender": sender, "program": "offers", "ratePerMinute": rate},)
    options = StackOptions(
        ports=Ports.any_free(), logs=logs, senders=senders, delivery_seconds=86_400
    )
    # The second process; the first is the stack's own.
    with Stage(logs, options) as stage:
        stage.host("second", ROOT)
        async with aiohttp.ClientSession() as session:
            return await _measured(stage.stack, session, sender, rate, round(rate * minutes))


async def _measured(
    stack: Stack, session: aiohttp.ClientSession, sender: str, rate: int, count: int
) -> dict[str, Any]:
    parley, platform = Parley(stack, session), Platform(stack, session)
    idle = [await _took(parley, sender, place) for place in range(5)]
    await platform.control("PATCH", "/settings", {"enforceRates": True})
    people = [f"+1425{2_000_000 + place:07d}" for place in range(count)]
    made = await ordered(parley, order(*people) | {"from": sender})
    busy: list[float] = []
    start = time.monotonic()
    while (found := await campaign(parley, made["campaignId"]))["state"] != "done":
        await asyncio.sleep(_LOOK_SECONDS)
        # One a minute: that much is left beside what the campaign takes.
        if time.monotonic() > (len(busy) + 0.5) * 60 + start:
            busy.append(await _took(parley, sender, 100 + len(busy)))
    begun, finished = from_iso(made["createdAt"]), from_iso(found["finishedAt"])
    promised = (from_iso(found["etaAtStart"]) - begun).total_seconds()
    took = (finished - begun).total_seconds()
    rows = (await platform.control("GET", "/account"))["messages"]
    texted = set(people)
    times = sorted(from_iso(message["at"]) for message in rows if message["to"] in texted)
    # The last chunk's own time is not between the first and the last text.
    last = sum(times[-1] - moment < _A_MOMENT for moment in times)
    span = (times[-1] - times[0]).total_seconds()
    async with parts_of(stack) as parts:
        pace = await parts.limits.pacing.pace(sender)
    return {
        "sender": sender,
        "recipients": count,
        "counts": found["counts"],
        "seconds": took,
        "promisedSeconds": promised,
        "promisedOverTaken": promised / took,
        "achievedOverAllowed": (len(times) - last) / span * 60 / rate,
        "slowedBy429": pace.slowed_at is not None,
        "idleMs": [round(one * 1000) for one in idle],
        "busyMs": [round(one * 1000) for one in busy],
    }


async def _took(parley: Parley, sender: str, place: int) -> float:
    begun = time.perf_counter()
    reply = await parley.own(
        "POST", "/messages", send_body(f"+1360{2_000_000 + place:07d}", sender=sender)
    )
    assert reply.status == 202, reply.body
    return time.perf_counter() - begun


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
