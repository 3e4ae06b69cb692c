"""The whole app over a ledger that was put back: who is told what, and how it goes on."""

from __future__ import annotations

import json
from contextlib import AbstractAsyncContextManager

import pytest

from local.stack import Stack
from shared.base.errors import LedgerHalted
from shared.base.log import NAME
from shared.optouts import Direction
from shared.services import Services
from tests.optouts.bench import SENDER, Bench, change
from tests.support.client import Platform, send_body
from tests.support.parts import parts_of, send_request


def app_over(stack: Stack, bench: Bench) -> AbstractAsyncContextManager[Services]:
    """The app with the bench's account for both of its own."""
    return parts_of(stack, PARLEY_STORAGE=bench.connection, PARLEY_HOST_STORAGE=bench.connection)


async def test_nobody_is_texted_until_somebody_has_looked(
    stack: Stack,
    bench: Bench,
    platform: Platform,
    person: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Five changes read, the table set back to the second, three others said, so that the head
    reads five again: no text leaves, health and log say why, and the minute's timer says it again.
    Once an operator has lifted it, texts leave, from this process and from one that starts."""
    ledger = bench.ledger()
    for n in range(2):
        await ledger.change([change(f"kept-{n}", f"+1425555010{n}", Direction.OUT)])
    backup = await bench.copy()
    for n in range(2, 5):
        await ledger.change([change(f"lost-{n}", f"+1425555010{n}", Direction.OUT)])
    async with app_over(stack, bench) as parts, app_over(stack, bench) as cold:
        await parts.sending.api.send(send_request(parts, send_body(person)))
        assert len(await platform.accepted(person)) == 1
        await parts.parts.ledger.halts.move_witness()
        await bench.put_back(backup)
        for n in range(3):
            await bench.ledger().change([change(f"other-{n}", f"+1425555020{n}", Direction.OUT)])

        with caplog.at_level("INFO", NAME):
            for app in (parts, cold):
                with pytest.raises(LedgerHalted) as refused:
                    await app.sending.api.send(send_request(app, send_body(person)))
                assert (refused.value.status, refused.value.retryable) == (503, True)
                assert (refused.value.retry_after or 0) > 1
            assert "ledger.halted" in caplog.text
            caplog.clear()
            await parts.upkeep.every_minute()
            assert "ledger.halted" in caplog.text
        assert len(await platform.accepted(person)) == 1
        report = await parts.health.report()
        assert report["status"] == "Unhealthy"
        tables = report["checks"]["tables"]
        assert tables["error"] == "LedgerHalted"
        assert "Change 5 of the opt-out ledger" in tables["why"]
        looked = await parts.optouts.get_halt()
        assert (looked["isHalted"], looked["why"]) == (True, tables["why"])

        lifted = await parts.optouts.lift_halt(json.dumps({"reason": "Looked."}).encode())
        assert not lifted["isHalted"]
        for app in (parts, cold):
            await app.upkeep.every_minute()
            await app.sending.api.send(send_request(app, send_body(person)))
        assert len(await platform.accepted(person)) == 3
        for app in (parts, cold):
            for lost in ("+14255550102", "+14255550103", "+14255550104"):
                assert app.parts.ledger.closed_by(lost, SENDER) is None
        assert not (await parts.optouts.get_halt())["isHalted"]
