"""What is asked of campaigns from outside: order one, look at it, pause, resume, cancel."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, Final

from shared.base import ids, log
from shared.base.clock import iso
from shared.base.digests import keyed_digest
from shared.base.errors import CampaignEnded, CampaignExists, NotFound, PlanChanged
from shared.base.pages import Page, PageKeys
from shared.base.tasks import every
from shared.campaigns.campaign import OVER, Campaign, Phase, Totals
from shared.campaigns.counting import Counting
from shared.campaigns.dry_run import DryRun
from shared.campaigns.engine import Engine
from shared.campaigns.eta import EtaEstimator
from shared.campaigns.list_uploads import ListUploads
from shared.campaigns.order import read_order
from shared.campaigns.progress import MOST_REASONS, Progress
from shared.campaigns.store import CONTAINER, CampaignStore, id_in, index_key
from shared.messages.parts import Parts
from shared.sending.idempotency import IdempotencyKeys

# Keys of the index; lines of a list, with the digits that their rows have.
_PAGE_KEY: Final = re.compile(r"[0-9]{13}~[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LINE: Final = re.compile(r"[0-9]{1,9}")
PAGES: Final = PageKeys("", lambda text: text if _PAGE_KEY.fullmatch(text) else None)
REFUSED_PAGES: Final = PageKeys(0, lambda text: int(text) if _LINE.fullmatch(text) else None)
# The name under which orders are digested.
_OPERATION: Final = "campaign"
_JSON_LINES: Final = "application/jsonl"
_EXISTS: Final = "There is a campaign with this id; look at it by GET."
_NOT_THERE: Final = "There is no campaign with this id."


@dataclass(frozen=True, slots=True)
class _Bound:
    """A key that stands for one order, and the digest of that order.

    The key's row names the order's attempt, not its campaign: a campaign of another order may have
    the id by the time this one is begun.
    """

    key: str
    digest: str


class CampaignApi:
    """Answers those who order campaigns.

    Args:
        parts: shared ones; the lists are blobs.
        engine: what runs them.
        eta: when the last text leaves.
        dry_run: what an order would come to.
        counting: what became of them.
        keys: the idempotency keys.
    """

    def __init__(
        self,
        parts: Parts,
        *,
        store: CampaignStore,
        engine: Engine,
        eta: EtaEstimator,
        dry_run: DryRun,
        counting: Counting,
        keys: IdempotencyKeys,
    ) -> None:
        self._keys = keys
        self._clock = parts.clock
        self._randomness = parts.randomness
        self._blobs = parts.blobs
        self._senders = parts.senders
        self._store = store
        self._engine = engine
        self._id_key = parts.id_key
        self._lists = ListUploads(parts.blobs, parts.id_key)
        self._eta = eta
        self._dry_run = dry_run
        self._progress = Progress(store=store, counting=counting)

    # Ordering -----------------------------------------------------------------------------------

    async def order(
        self, body: Any, *, dry_run: bool, key: str | None = None
    ) -> tuple[dict[str, Any], bool]:
        """Start a campaign, or say what it would come to; and whether it was there already.

        Args:
            body: the order.
            dry_run: start nothing.
            key: the caller's Idempotency-Key. The same order with it is the same campaign.

        Raises:
            InvalidRequest, ForeignSender: the order makes no sense.
            KeyReused: the key came with another order.
            CampaignExists: its id is taken.
            PlanChanged: something is not as the dry run had it.
        """
        now = self._clock()
        if dry_run or key is None:
            return await self._order(body, now, dry_run=dry_run), False
        bound = _Bound(key, keyed_digest(self._id_key, _OPERATION, body).hex())
        attempt = await self._keys.find(bound.key, bound.digest, now)
        # Before anything is checked: what was in order then is perhaps so no longer.
        if attempt is not None and (begun := await self._begun_by(body, attempt)) is not None:
            return begun, True
        try:
            return await self._order(body, now, bound=bound, attempt=attempt), False
        except CampaignExists:
            # Perhaps by the same request, which was faster.
            attempt = await self._keys.find(bound.key, bound.digest, now)
            begun = await self._begun_by(body, attempt) if attempt is not None else None
            if begun is None:
                raise
            return begun, True

    async def _begun_by(self, body: Any, attempt: str) -> dict[str, Any] | None:
        """The campaign that an attempt at this order has begun; None if it has begun none."""
        given = body.get("campaignId") if isinstance(body, dict) else None
        campaign = await self._store.get(given or attempt)
        if campaign is None or campaign.attempt != attempt:
            return None
        return await self.get_campaign(campaign.campaign_id)

    async def _order(
        self,
        body: Any,
        now: datetime,
        *,
        dry_run: bool = False,
        bound: _Bound | None = None,
        attempt: str | None = None,
    ) -> dict[str, Any]:
        order = read_order(body, senders=self._senders, now=now)
        attempt = attempt or ids.drawn_send_id(now, self._randomness)
        campaign_id = order.campaign_id or attempt
        if not dry_run and await self._store.get(campaign_id) is not None:
            raise CampaignExists(_EXISTS)
        definition = await self._lists.definition_of(order)
        if dry_run:
            return await self._dry_run.run(definition, order.inline)
        if order.plan_hash not in {None, self._dry_run.plan_hash(definition)}:
            raise PlanChanged(
                "The order, its list, the prices or the quiet hours are not those of this planHash."
                " Make another dry run."
            )
        if bound is not None:
            # As late as this: an order that was refused leaves its key free for a better one.
            claim = await self._keys.claim(
                bound.key, bound.digest, attempt, now=now, moment=definition.start_at
            )
            attempt = claim.stands_for
            campaign_id = order.campaign_id or attempt
        if order.inline is not None:
            # Apart from that of a request with the same key, which may have begun already.
            blob = f"inline/{campaign_id}/{ids.drawn_send_id(now, self._randomness)}.jsonl"
            etag = await self._blobs.upload(CONTAINER, blob, order.inline, _JSON_LINES)
            definition = replace(definition, blob=blob, etag=etag)
        campaign = Campaign(campaign_id, definition, Phase.PREPARING, now, attempt)
        if not await self._engine.begin(campaign):
            raise CampaignExists(_EXISTS)
        log.event("campaign.ordered", campaignId=campaign_id)
        return await self.get_campaign(campaign_id)

    async def upload_list(self, name: str, data: bytes) -> dict[str, Any]:
        """Keep a list, in place of the one that had its name.

        Raises:
            InvalidRequest: the name, the size, or a list that cannot be read at all.
        """
        return await self._lists.keep(name, data)

    # Steering -----------------------------------------------------------------------------------

    async def pause(self, campaign_id: str) -> dict[str, Any]:
        """Hold a campaign up; what has its place in time already does not leave either."""

        def paused(known: Campaign) -> Campaign | None:
            return None if known.phase is Phase.PAUSED else replace(known, phase=Phase.PAUSED)

        await self._steer(campaign_id, paused)
        return await self.get_campaign(campaign_id)

    async def resume(self, campaign_id: str) -> dict[str, Any]:
        """Go on. Also wakes a campaign that stands still for whatever reason."""
        now = self._clock()

        def resumed(known: Campaign) -> Campaign:
            phase = Phase.RUNNING if known.expanded else Phase.PREPARING
            return replace(known, phase=phase, reason=None, due_at=now)

        known = await self._found(campaign_id)
        steer = partial(self._steer, campaign_id, resumed)
        # A campaign that is over has no row in `due` any more, and gets none for being refused.
        await (steer() if known.phase in OVER else self._engine.wake(campaign_id, now, steer))
        return await self.get_campaign(campaign_id)

    async def cancel(self, campaign_id: str) -> dict[str, Any]:
        """End it; what has left has left.

        One that is done can be ended, too, while some of its texts may wait to be sent again.
        """

        def canceled(known: Campaign) -> Campaign | None:
            finished = known.finished_at or self._clock()
            return replace(known, phase=Phase.CANCELED, finished_at=finished)

        known = await self._found(campaign_id)
        if known.phase is not Phase.CANCELED:
            await self._steer(campaign_id, canceled, also=self._may_send_again)
        return await self.get_campaign(campaign_id)

    def _may_send_again(self, known: Campaign) -> bool:
        live = known.definition.time_to_live
        return known.phase is Phase.DONE and live is not None and self._clock() < known.start + live

    async def _steer(
        self,
        campaign_id: str,
        change: Callable[[Campaign], Campaign | None],
        *,
        also: Callable[[Campaign], bool] = lambda _: False,
    ) -> Campaign:
        def steered(known: Campaign) -> Campaign | None:
            if known.phase in OVER and not also(known):
                raise CampaignEnded(f"This campaign is {known.phase}.")
            return change(known)

        campaign = await self._store.change(campaign_id, steered)
        if campaign is None:
            raise NotFound(_NOT_THERE)
        log.event("campaign.steered", campaignId=campaign_id, phase=str(campaign.phase))
        return campaign

    # Looking ------------------------------------------------------------------------------------

    async def get_campaign(self, campaign_id: str) -> dict[str, Any]:
        """One campaign: how far it is and what has become of its people.

        Raises:
            NotFound: there is none.
        """
        campaign = await self._found(campaign_id)
        return {**_summary(campaign, self._clock()), **await self._progress_view(campaign)}

    async def list_campaigns(self, *, after: str, limit: int) -> Page:
        """Campaigns, newest first, a page of them; without what became of their people."""
        keys, following = await self._store.index(after, limit)
        found = await every(*(self._store.get(id_in(key)) for key in keys))
        now = self._clock()
        # An order that was refused for its id left an entry that is not the campaign's own.
        own = (one for key, one in zip(keys, found, strict=True) if one and index_key(one) == key)
        return Page([_summary(one, now) for one in own], following)

    async def list_refused_lines(self, campaign_id: str, *, after: int, limit: int) -> Page:
        """Lines that text nobody, in order, a page of them.

        Raises:
            NotFound: there is no such campaign.
        """
        await self._found(campaign_id)
        lines, following = await self._store.refused(campaign_id, after, limit)
        value = [{"line": one.line, "reason": one.reason} for one in lines]
        return Page(value, None if following is None else str(following))

    async def _found(self, campaign_id: str) -> Campaign:
        campaign = await self._store.get(campaign_id)
        if campaign is None:
            raise NotFound(_NOT_THERE)
        return campaign

    async def _progress_view(self, campaign: Campaign) -> dict[str, Any]:
        seen = await self._progress.measure(campaign)
        return {
            "counts": {state: count for state, count in sorted(seen.counts.items()) if count},
            "errors": [
                {"reason": reason, "count": count}
                for reason, count in seen.done.errors.most_common(MOST_REASONS)
            ],
            "ratePerMinute": seen.done.rate,
            "eta": iso(await self._end(campaign, seen.waiting)) if _goes_on(campaign) else None,
        }

    async def _end(self, campaign: Campaign, waiting: Mapping[str, int]) -> datetime:
        if campaign.next >= campaign.chunks:
            return campaign.last_slot or campaign.start
        if campaign.last_slot is None:
            return campaign.eta or campaign.start
        return await self._eta.estimate(campaign.definition, waiting, campaign.start)


def _goes_on(campaign: Campaign) -> bool:
    return campaign.expanded and campaign.phase is Phase.RUNNING


def _summary(campaign: Campaign, now: datetime) -> dict[str, Any]:
    definition, totals = campaign.definition, campaign.totals
    scheduled = campaign.phase is Phase.RUNNING and campaign.start > now
    return {
        "campaignId": campaign.campaign_id,
        "state": "scheduled" if scheduled else str(campaign.phase),
        "reason": campaign.reason,
        "createdAt": iso(campaign.created_at),
        "startAt": iso(campaign.start),
        "finishedAt": iso(campaign.finished_at) if campaign.finished_at else None,
        "senders": list(definition.senders),
        "message": definition.shown,
        "category": definition.category,
        "tag": definition.tag or None,
        "list": definition.list_name,
        "totals": _totals(totals) if campaign.expanded else None,
        "etaAtStart": iso(campaign.eta) if campaign.eta else None,
    }


def _totals(totals: Totals) -> dict[str, Any]:
    return {**totals.to_json(), "segments": sum(totals.segments.values())}
