"""Starts the simulated platform; see `options.py` for its command line."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import uuid

from local.platform.clock import utc_now
from local.platform.options import parse
from local.platform.server import PlatformServer
from local.platform.simulator import Options, Simulator


def main(arguments: list[str]) -> None:
    """Run until the process is told to stop."""
    port, options = parse(arguments)
    asyncio.run(_serve(port, options))


async def _serve(port: int, options: Options) -> None:
    platform = Simulator(options, now=utc_now, new_id=lambda: str(uuid.uuid4()))
    await PlatformServer(platform, port).serve_platform()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main(sys.argv[1:])
