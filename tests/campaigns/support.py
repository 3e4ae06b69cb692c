"""Ordering campaigns and waiting for them."""

from __future__ import annotations

from typing import Any

from shared.campaigns.campaign import Chunk
from shared.campaigns.engine import CAMPAIGN, Engine
from shared.jobs.due import Due
from shared.jobs.due_worker import PutOff
from shared.services import Services
from tests.support.client import SHORT_CODE, Parley
from tests.support.polling import eventually


def order(*to: str, **members: Any) -> dict[str, Any]:
    """The body of an order; to people without values of their own, unless it says otherwise."""
    return {
        "from": SHORT_CODE,
        "message": "Hello",
        **({"recipients": [{"to": number} for number in to]} if to else {}),
        **members,
    }


async def ordered(parley: Parley, body: dict[str, Any]) -> dict[str, Any]:
    """The campaign, which must be accepted."""
    reply = await parley.own("POST", "/campaigns", body)
    assert reply.status == 202, reply.body
    found: dict[str, Any] = reply.json
    return found


async def dry_run(parley: Parley, body: dict[str, Any]) -> dict[str, Any]:
    """What the campaign would come to."""
    reply = await parley.own("POST", "/campaigns?dryRun=true", body)
    assert reply.status == 200, reply.body
    found: dict[str, Any] = reply.json
    return found


async def campaign(parley: Parley, campaign_id: str) -> dict[str, Any]:
    """One campaign, which must be there."""
    reply = await parley.own("GET", f"/campaigns/{campaign_id}")
    assert reply.status == 200, reply.body
    found: dict[str, Any] = reply.json
    return found


async def campaign_in_state(parley: Parley, campaign_id: str, *states: str) -> dict[str, Any]:
    """The campaign, once it is in one of the states."""

    async def look() -> dict[str, Any] | None:
        found = await campaign(parley, campaign_id)
        return found if found["state"] in states else None

    return await eventually(look, f"{campaign_id} becomes {' or '.join(states)}")


async def campaign_with_counts(parley: Parley, campaign_id: str, **counts: int) -> dict[str, Any]:
    """The campaign, once its counts are these."""
    seen: dict[str, Any] = {}

    async def look() -> dict[str, Any] | None:
        seen.update(await campaign(parley, campaign_id))
        return seen if seen["counts"] == counts else None

    return await eventually(look, f"{campaign_id} counts {counts}, not {seen.get('counts')}")


async def steered(parley: Parley, campaign_id: str, operation: str) -> dict[str, Any]:
    """The campaign after it was paused, resumed or canceled."""
    reply = await parley.own("POST", f"/campaigns/{campaign_id}:{operation}")
    assert reply.status == 200, reply.body
    found: dict[str, Any] = reply.json
    return found


async def uploaded(parley: Parley, name: str, content: str | bytes) -> dict[str, Any]:
    """What is said of a list that must be taken."""
    body = content.encode() if isinstance(content, str) else content
    reply = await parley.own("PUT", f"/lists/{name}", body)
    assert reply.status == 200, reply.body
    found: dict[str, Any] = reply.json
    return found


async def chunks_of(parts: Services, campaign_id: str) -> list[Chunk]:
    """A campaign's chunks as they are stored."""
    return [chunk async for chunk in parts.campaigns.store.chunks(campaign_id)]


async def pumped(parts: Services, campaign_id: str, engine: Engine | None = None) -> PutOff | None:
    """Do the due work of a campaign; when it looks again, or None."""
    engine = engine or parts.campaigns.engine
    met = await engine.meet(campaign_id)
    assert met is not None
    return await engine.run(met.found, Due(CAMPAIGN, campaign_id, parts.parts.clock()))
