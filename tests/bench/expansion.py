"""One list, read and written down, by a process that does nothing else: time and memory."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

from azure.core.pipeline.transport import AioHttpTransport

from shared import settings as settings_module
from shared.base import ulid
from shared.campaigns.campaign import Campaign, Phase
from shared.campaigns.list_reader import HEAD, sniff
from shared.campaigns.order import Definition
from shared.campaigns.store import CONTAINER
from shared.services import build
from tests.bench.memory import peak_megabytes
from tests.support.client import SHORT_CODE


async def expansion(asked: dict[str, Any]) -> dict[str, float]:
    """Seconds, and the most megabytes that this process ever had."""
    async with AioHttpTransport() as transport:
        parts = build(settings_module.load(asked["settings"]), transport=transport)
        desk, name = parts.campaigns.api, asked["list"]
        facts = await desk._blobs.facts(CONTAINER, name)
        assert facts is not None
        length = min(HEAD, facts.size)
        head = await desk._blobs.read(CONTAINER, name, etag=facts.etag, length=length)
        definition = Definition(
            (SHORT_CODE,), "Hello {name}", blob=name, etag=facts.etag, shape=sniff(head)
        )
        campaign_id = ulid.new(parts.parts.clock(), bytes(ulid.RANDOM_BYTES))
        campaign = Campaign(
            campaign_id, definition, Phase.PREPARING, parts.parts.clock(), campaign_id
        )
        await desk._store.insert(campaign)
        begun = time.perf_counter()
        found = await parts.campaigns.expansion.expand(campaign)
        seconds = time.perf_counter() - begun
        assert found is not None
        assert found[0].refused == 0, found
    return {"seconds": seconds, "megabytes": peak_megabytes()}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(expansion(json.load(sys.stdin)))) + "\n")
