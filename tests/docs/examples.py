"""Running the examples of a document against the stack, and comparing what they answer."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tests.docs.documents import Block

_PROGRAMS: Final = {"sh": ["bash", "-euc"], "python": [sys.executable, "-c"]}


def runnable(blocks: list[Block]) -> list[int]:
    """The places of the blocks that are programs to be run."""
    return [
        place
        for place, block in enumerate(blocks)
        if block.language in _PROGRAMS and not block.file
    ]


async def run(block: Block, environment: Mapping[str, str], folder: Path) -> str:
    """What an example prints; it must succeed."""
    process = await asyncio.create_subprocess_exec(
        *_PROGRAMS[block.language],
        block.text,
        env=environment,
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return output.decode()


def compare_with_next(blocks: list[Block], place: int, output: str) -> None:
    """What was printed has the shape of the JSON that follows the example, if any does."""
    following = blocks[place + 1] if place + 1 < len(blocks) else None
    if following is not None and following.adjoins and following.language == "json":
        compare(json.loads(following.text), json.loads(output))


def compare(printed: Any, answered: Any, where: str = "") -> None:
    """Both have the same members, and values of the same types; null stands for any."""
    if printed is None or answered is None:
        return
    assert type(printed) is type(answered), where
    if isinstance(printed, dict):
        assert printed.keys() == answered.keys(), where
        for name in printed:
            compare(printed[name], answered[name], f"{where}.{name}")
    elif isinstance(printed, list):
        assert len(printed) == len(answered), where
        for index, (one, other) in enumerate(zip(printed, answered, strict=True)):
            compare(one, other, f"{where}[{index}]")
