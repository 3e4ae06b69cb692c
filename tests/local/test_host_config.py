"""host.json, local.settings.json and names of settings."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from local.host import HostError
from local.host.config import HostConfig, QueueConfig, read_settings, resolve


def host_json(folder: Path, queues: object = None, **others: object) -> Path:
    path = folder / "host.json"
    extensions = {} if queues is None else {"queues": queues}
    path.write_text(json.dumps({"version": "2.0", "extensions": extensions, **others}))
    return path


def test_defaults_are_the_real_hosts(tmp_path: Path) -> None:
    """What host.json leaves out is as Azure has it, not as it would suit us."""
    config = HostConfig.read(host_json(tmp_path))
    assert config == HostConfig("api", QueueConfig(16, 8, 5, timedelta(minutes=1), timedelta(0)))
    assert config.queues.base64


def test_reads_queue_settings(tmp_path: Path) -> None:
    """Every queue setting of host.json is heeded."""
    queues = {
        "batchSize": 8,
        "newBatchThreshold": 2,
        "maxDequeueCount": 3,
        "maxPollingInterval": "00:00:02",
        "visibilityTimeout": "1.00:00:10",
        "messageEncoding": "none",
    }
    assert HostConfig.read(host_json(tmp_path, queues)).queues == QueueConfig(
        8, 2, 3, timedelta(seconds=2), timedelta(days=1, seconds=10), base64=False
    )


@pytest.mark.parametrize(
    ("queues", "reason"),
    [
        ({"batchSize": 33}, "batchSize"),
        ({"batchSize": "8"}, "batchSize"),
        ({"maxDequeueCount": 0}, "maxDequeueCount"),
        ({"maxPollingInterval": 2}, "maxPollingInterval"),
        ({"messageEncoding": "hex"}, "messageEncoding"),
        ([], "host.json"),
    ],
)
def test_refuses_bad_queue_settings(tmp_path: Path, queues: object, reason: str) -> None:
    """A value that the real host refuses is refused, with its name."""
    with pytest.raises(HostError, match=reason):
        HostConfig.read(host_json(tmp_path, queues))


@pytest.mark.parametrize("text", ["", "[]", '{"version": "1.0"}', "{}"])
def test_refuses_a_bad_host_json(tmp_path: Path, text: str) -> None:
    """Without a host.json of version 2.0 there is no app."""
    path = tmp_path / "host.json"
    path.write_text(text)
    with pytest.raises(HostError, match=r"host\.json"):
        HostConfig.read(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """Whoever forgot host.json reads its path."""
    with pytest.raises(HostError, match="cannot be read"):
        HostConfig.read(tmp_path / "host.json")


def test_reads_values(tmp_path: Path) -> None:
    """local.settings.json gives its `Values`, which must be texts."""
    path = tmp_path / "local.settings.json"
    path.write_text('{"IsEncrypted": false, "Values": {"A": "1"}}')
    assert read_settings(path) == {"A": "1"}
    path.write_text('{"Values": {"A": 1}}')
    with pytest.raises(HostError, match="Values"):
        read_settings(path)


def test_resolves_names() -> None:
    """`%NAME%` in a binding becomes the setting, and a missing one stops the start."""
    assert resolve("x-%A%-%B%", {"A": "1", "B": "2"}) == "x-1-2"
    with pytest.raises(HostError, match="%C%"):
        resolve("%C%", {"A": "1"})
