"""Campaigns: order one, look at it, steer it; and the lists that they text."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import azure.functions as func

from functions.http import json_answer, own_face, page_answer
from shared.base.errors import InvalidRequest
from shared.base.json_body import WrittenFloat, parse_json
from shared.base.pages import read_limit
from shared.campaigns.api import PAGES, REFUSED_PAGES, CampaignApi
from shared.sending.idempotency import read_key
from shared.services import services

blueprint = func.Blueprint()


@blueprint.route(route="campaigns", methods=["POST"], auth_level=func.AuthLevel.FUNCTION)
async def order_campaign(req: func.HttpRequest) -> func.HttpResponse:
    """Start a campaign, once for each Idempotency-Key; `?dryRun=true` says what it comes to."""

    async def answer() -> func.HttpResponse:
        dry_run = _flag(req, "dryRun")
        key = read_key(req.headers.get("Idempotency-Key"))
        found, replayed = await services().campaigns.api.order(
            parse_json(req.get_body(), parse_float=WrittenFloat), dry_run=dry_run, key=key
        )
        headers = {"Idempotency-Replayed": "true"} if replayed else {}
        return json_answer(found, status=200 if dry_run else 202, headers=headers)

    return await own_face(req, answer)


@blueprint.route(route="campaigns", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
async def list_campaigns(req: func.HttpRequest) -> func.HttpResponse:
    """Campaigns, newest first."""

    async def answer() -> func.HttpResponse:
        page = await services().campaigns.api.list_campaigns(
            after=PAGES.after(req.params.get("after")),
            limit=read_limit(req.params.get("maxpagesize")),
        )
        return page_answer(req, page.value, page.after)

    return await own_face(req, answer)


@blueprint.route(
    route="campaigns/{campaignId}", methods=["GET"], auth_level=func.AuthLevel.FUNCTION
)
async def get_campaign(req: func.HttpRequest) -> func.HttpResponse:
    """One campaign: how far it is, and what has become of its people."""

    async def answer() -> func.HttpResponse:
        campaign_id = req.route_params["campaignId"]
        return json_answer(await services().campaigns.api.get_campaign(campaign_id))

    return await own_face(req, answer)


@blueprint.route(
    route="campaigns/{campaignId}/refused", methods=["GET"], auth_level=func.AuthLevel.FUNCTION
)
async def list_refused(req: func.HttpRequest) -> func.HttpResponse:
    """The lines of its list that text nobody, and why."""

    async def answer() -> func.HttpResponse:
        page = await services().campaigns.api.list_refused_lines(
            req.route_params["campaignId"],
            after=REFUSED_PAGES.after(req.params.get("after")),
            limit=read_limit(req.params.get("maxpagesize")),
        )
        return page_answer(req, page.value, page.after)

    return await own_face(req, answer)


@blueprint.route(
    route="campaigns/{campaignId}:pause", methods=["POST"], auth_level=func.AuthLevel.FUNCTION
)
async def pause_campaign(req: func.HttpRequest) -> func.HttpResponse:
    """Hold it up."""
    return await _steer(req, CampaignApi.pause)


@blueprint.route(
    route="campaigns/{campaignId}:resume", methods=["POST"], auth_level=func.AuthLevel.FUNCTION
)
async def resume_campaign(req: func.HttpRequest) -> func.HttpResponse:
    """Have it go on."""
    return await _steer(req, CampaignApi.resume)


@blueprint.route(
    route="campaigns/{campaignId}:cancel", methods=["POST"], auth_level=func.AuthLevel.FUNCTION
)
async def cancel_campaign(req: func.HttpRequest) -> func.HttpResponse:
    """End it."""
    return await _steer(req, CampaignApi.cancel)


@blueprint.route(route="lists/{name}", methods=["PUT"], auth_level=func.AuthLevel.FUNCTION)
async def upload_list(req: func.HttpRequest) -> func.HttpResponse:
    """Keep a list of recipients, in place of the one that had its name."""

    async def answer() -> func.HttpResponse:
        found = await services().campaigns.api.upload_list(req.route_params["name"], req.get_body())
        return json_answer(found)

    return await own_face(req, answer)


async def _steer(
    req: func.HttpRequest, steer: Callable[[CampaignApi, str], Awaitable[dict[str, Any]]]
) -> func.HttpResponse:
    async def answer() -> func.HttpResponse:
        campaign_id = req.route_params["campaignId"]
        return json_answer(await steer(services().campaigns.api, campaign_id))

    return await own_face(req, answer)


def _flag(req: func.HttpRequest, name: str) -> bool:
    value: str = req.params.get(name, "false")
    if value not in {"true", "false"}:
        raise InvalidRequest.of(name, "This is true or false.")
    return value == "true"
