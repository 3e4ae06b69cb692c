"""Parley's own parts in this process, against the stack's storage and platform.

For what the running host cannot be asked: another clock, another setting, a call without HTTP.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from azure.core.pipeline.transport import AioHttpTransport

from local.stack import Stack
from shared import settings as settings_module
from shared.base.clock import Clock, utc_now
from shared.messages.request import SendRequest
from shared.sending.request_body import read_send
from shared.services import Services, build
from tests.support.transports import Inner


@asynccontextmanager
async def parts_of(
    stack: Stack,
    *,
    clock: Clock = utc_now,
    way: Callable[[Inner], Inner] = lambda network: network,
    **settings: str,
) -> AsyncIterator[Services]:
    """Everything wired as in the app, with other settings where given.

    Args:
        stack: whose storage and platform are used.
        clock: the time.
        way: puts something between the clients and the network.
        settings: other than the stack's.
    """
    async with AioHttpTransport() as network:
        yield build(
            settings_module.load({**stack.settings, **settings}),
            transport=way(network),
            clock=clock,
        )


def send_request(parts: Services, body: Mapping[str, Any]) -> SendRequest:
    """The send that a body means to these parts."""
    return read_send(
        json.dumps(body).encode(),
        senders=parts.parts.settings.senders,
        now=parts.parts.clock(),
        knows_report_timeout=parts.parts.acs.knows_report_timeout,
        id_key=parts.parts.id_key,
    )
