"""Parley's own parts in this process, against the stack's storage and platform.

For what the running host cannot be asked: another clock, another setting, a call without HTTP.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from azure.core.pipeline.transport import AioHttpTransport

from local.stack import Stack
from shared import settings as settings_module
from shared.clock import Clock, utc_now
from shared.services import Services, build


@asynccontextmanager
async def parts_of(
    stack: Stack, *, clock: Clock = utc_now, **settings: str
) -> AsyncIterator[Services]:
    """Everything wired as in the app, with other settings where given."""
    async with AioHttpTransport() as transport:
        yield build(
            settings_module.load({**stack.settings, **settings}), transport=transport, clock=clock
        )
