"""Microsoft's Python library before 1.1.0, each version in a process and a folder of its own.

1.0.1 was the newest stable one from June 2021 to October 2024. Both sign `Date`; of an http address
they sign the target without its first slash; 1.0.0 writes the first-sent time in a form of its own
(azure/communication/sms/_shared/policy.py and _sms_client.py in those packages).
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.support.client import TOLL_FREE, Parley, Platform
from tests.support.people import People

HERE = Path(__file__).parent
# Beside the other things that the tests install; a pinned file with its hash is all that goes in.
FOLDER = HERE.parents[1] / ".local" / "azure-communication-sms"
FOREIGN_KEY = "Zm9yZWlnbi1mb3JlaWduLWZvcmVpZ24tZm9yZWlnbi0="


@pytest.fixture(scope="module", params=["1.0.0", "1.0.1"])
def library(request: pytest.FixtureRequest) -> Path:
    """The folder of one version, installed on first use."""
    version: str = request.param
    home = FOLDER / version
    if not home.is_dir():
        FOLDER.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=FOLDER) as fresh:
            pinned = HERE / "libraries" / f"{version}.txt"
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            exactly = ["--no-deps", "--require-hashes", "--requirement", str(pinned)]
            subprocess.run([*pip, *exactly, "--target", f"{fresh}/library"], check=True)  # noqa: S603
            Path(fresh, "library").rename(home)
    return home


async def send(library: Path, parley: Parley, *args: Any, **order: Any) -> dict[str, Any]:
    """What a process with that version in its path says of one send."""
    wanted = {
        "endpoint": parley.endpoint,
        "key": parley.access_keys[0],
        "aio": False,
        "args": args,
        "named": {},
        **order,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(HERE / "older_library.py"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(library)},
    )
    output, _ = await process.communicate(json.dumps(wanted).encode())
    assert process.returncode == 0
    told: dict[str, Any] = json.loads(output)
    assert told["version"] == library.name
    return told


def over_https(parley: Parley) -> str:
    return parley.endpoint.replace("http://", "https://")


@pytest.mark.parametrize("aio", [False, True], ids=["sync", "aio"])
@pytest.mark.parametrize("tls", [True, False], ids=["https", "http"])
async def test_a_send_to_several(
    library: Path, parley: Parley, platform: Platform, people: People, *, tls: bool, aio: bool
) -> None:
    """Each recipient has an item, the texts arrive, and the options come through."""
    numbers = people.many(2)
    to = [numbers[0], "+1425", numbers[1]]
    endpoint = over_https(parley) if tls else parley.endpoint
    named = {"enable_delivery_report": True, "tag": "campaign-7"}
    told = await send(
        library, parley, TOLL_FREE, to, "Hello", endpoint=endpoint, aio=aio, named=named
    )
    assert "results" in told, told
    assert [(number, status) for number, status, *_ in told["results"]] == [
        (to[0], 202),
        (to[1], 400),
        (to[2], 202),
    ]
    assert told["results"][1][3].startswith("Invalid To phone number format.")
    for number, status, message_id, _ in told["results"]:
        if status == 202:
            assert (await parley.message_in_state(message_id, "delivered"))["tag"] == "campaign-7"
            assert await platform.texts(number) == ["Hello"]


async def test_a_connection_string(library: Path, parley: Parley, person: str) -> None:
    """The usual way to make a client; a slash at the end of its endpoint is no matter."""
    connection = f"endpoint={over_https(parley)}/;accesskey={parley.access_keys[0]}"
    told = await send(library, parley, TOLL_FREE, person, "Hello", connection=connection)
    assert [result[1] for result in told["results"]] == [202]


async def test_a_wrong_key(library: Path, parley: Parley, person: str) -> None:
    """What is signed with another key is refused, as with any library."""
    told = await send(library, parley, TOLL_FREE, person, "Hello", key=FOREIGN_KEY)
    assert (told["error"], told["status"]) == ("ClientAuthenticationError", 401)
