"""What left without waiting is counted against what waits, by nobody who waits for it."""

from __future__ import annotations

import gc
import logging

import pytest
from azure.core.pipeline.transport import AioHttpTransport

from shared.azure.storage import StorageAccount
from shared.azure.tables import Tables
from shared.base.clock import utc_now
from shared.limits import pacing
from shared.limits.pacing import Pacing
from shared.settings import load
from tests.support.polling import eventually
from tests.support.settings import minimal

SENDER = "+18005550100"


async def test_what_cannot_be_counted_is_told(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where no error of storage says so: nobody else would hear of it."""
    monkeypatch.setattr(pacing, "_FLUSH_SECONDS", 0.0)
    settings = load(minimal())
    async with AioHttpTransport() as transport:
        tables = Tables(StorageAccount(settings, transport=transport))
    owing = Pacing(tables, utc_now, settings.senders)
    caplog.set_level(logging.WARNING)

    async def told() -> list[str]:
        return [record.getMessage() for record in caplog.records]

    owing.deduct(SENDER, 1_000)
    await eventually(told, "what is owed is told")
    del owing
    gc.collect()
    assert await told() == [f'pacing.not_deducted {{"sender": "{SENDER}"}}']
