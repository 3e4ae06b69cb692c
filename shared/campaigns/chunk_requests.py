"""Who of a chunk gets what: the chunk's sends, each with an id that a repeat finds again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial

from shared.base import ulid
from shared.base.digests import keyed_digest
from shared.base.tasks import few_at_once
from shared.campaigns.campaign import Campaign, Piece
from shared.campaigns.kept_lists import read_kept
from shared.campaigns.list_reader import ListRow, read_range
from shared.campaigns.recipients import Recipient, Recipients
from shared.limits.frequency_caps import FrequencyCaps
from shared.messages.parts import Parts
from shared.messages.request import Asked, SendRequest


class ChunkRequests:
    """Makes the requests of a chunk.

    Args:
        parts: shared ones; the lists are blobs.
        caps: who has been texted lately.
    """

    def __init__(self, parts: Parts, caps: FrequencyCaps) -> None:
        self._blobs = parts.blobs
        self._senders = parts.senders
        self._caps = caps
        self._id_key = parts.id_key

    async def of_piece(self, campaign: Campaign, piece: Piece) -> dict[str, SendRequest]:
        """The chunk's sends by id: one for each sender and text.

        Raises:
            Changed: the list is another one now.
        """
        definition = campaign.definition
        data = await read_kept(self._blobs, definition, offset=piece.offset, length=piece.length)
        recipients, skip = Recipients(definition, self._senders), set(piece.skip)
        groups: dict[tuple[str, str], list[str]] = {}
        for row in read_range(data, definition.layout, piece.line):
            if isinstance(row, ListRow) and row.line - piece.line not in skip:
                judged = recipients.judge(row)
                if isinstance(judged, Recipient):
                    groups.setdefault((judged.sender, judged.text), []).append(judged.address)
        return {
            self._send_id(campaign, piece, sender, text): self._request(
                campaign, sender, text, addresses
            )
            for (sender, text), addresses in groups.items()
        }

    def _send_id(self, campaign: Campaign, piece: Piece, sender: str, text: str) -> str:
        # The nominal moment, never the real one: a chunk that comes again must find its own rows.
        moment = campaign.start + timedelta(seconds=piece.lead)
        cause = keyed_digest(
            self._id_key, "send of a chunk", campaign.attempt, piece.number, sender, text
        )
        return ulid.new(moment, cause[: ulid.RANDOM_BYTES])

    def _request(
        self, campaign: Campaign, sender: str, text: str, addresses: Sequence[str]
    ) -> SendRequest:
        definition, campaign_id = campaign.definition, campaign.campaign_id
        digest = keyed_digest(self._id_key, "text of a campaign", campaign_id, sender, text).hex()
        return replace(
            definition.send(campaign_id, sender, text, digest),
            asked=tuple(Asked(address, address) for address in addresses),
            ordered_at=campaign.created_at,
            expires_at=campaign.start + definition.time_to_live
            if definition.time_to_live is not None
            else None,
        )

    async def uncapped(
        self, campaign: Campaign, sends: Mapping[str, SendRequest]
    ) -> dict[str, SendRequest]:
        """The sends without those who were texted too recently."""
        hours = campaign.definition.cap_hours
        if hours is None:
            return dict(sends)
        left: dict[str, SendRequest] = {}
        for send_id, request in sends.items():
            program = self._senders[request.sender].program
            admitted = partial(self._admitted, program, send_id, hours)
            may = await few_at_once(admitted, request.addresses())
            asked = tuple(one for one, yes in zip(request.asked, may, strict=True) if yes)
            if asked:
                left[send_id] = replace(request, asked=asked)
        return left

    async def _admitted(self, program: str, send_id: str, hours: int, address: str) -> bool:
        return await self._caps.admit(program, address, send_id, hours)
