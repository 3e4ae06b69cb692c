"""What the host reads beside the app: host.json, local.settings.json, and names of settings."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from local.host.errors import HostError

_TIME_SPAN: Final = re.compile(r"(?:([0-9]+)\.)?([0-9]{1,2}):([0-9]{2}):([0-9]{2})(?:\.[0-9]+)?")
_SETTING: Final = re.compile(r"%([^%]+)%")
_MAX_BATCH: Final = 32
_DEFAULT_BATCH: Final = 16
_POLLING_INTERVAL: Final = timedelta(minutes=1)
_VISIBILITY_TIMEOUT: Final = timedelta(0)
_ROUTE_PREFIX: Final = "api"
_BODY_LIMIT: Final = "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT"
# `DefaultMaxRequestBodySize` in WebJobs.Script/ScriptConstants.cs of azure-functions-host.
_BODY_BYTES: Final = 104_857_600


@dataclass(frozen=True, slots=True)
class QueueConfig:
    """`extensions.queues` of host.json.

    Attributes:
        batch_size: messages that one request asks for, at most 32.
        new_batch_threshold: the next batch is asked for when so few are still at work.
        max_dequeue_count: attempts until a message goes to the poison queue.
        max_polling_interval: the longest pause between two looks at an empty queue.
        visibility_timeout: how long a failed message waits for its next attempt.
        base64: whether messages are base64, else plain text.
    """

    batch_size: int = _DEFAULT_BATCH
    new_batch_threshold: int = _DEFAULT_BATCH // 2
    max_dequeue_count: int = 5
    max_polling_interval: timedelta = _POLLING_INTERVAL
    visibility_timeout: timedelta = _VISIBILITY_TIMEOUT
    base64: bool = True


@dataclass(frozen=True, slots=True)
class HostConfig:
    """host.json, as far as this host heeds it. The defaults are the real host's."""

    route_prefix: str = _ROUTE_PREFIX
    queues: QueueConfig = QueueConfig()

    @classmethod
    def read(cls, path: Path) -> HostConfig:
        """Read a host.json.

        Raises:
            HostError: it is missing, no JSON, or holds values that the real host refuses.
        """
        content = _read_object(path)
        if content.get("version") != "2.0":
            raise HostError(f'{path}: "version" must be "2.0".')
        extensions = content.get("extensions", {})
        try:
            return cls(
                route_prefix=str(extensions.get("http", {}).get("routePrefix", _ROUTE_PREFIX)),
                queues=_queues(extensions.get("queues", {})),
            )
        except (AttributeError, TypeError, ValueError) as error:
            raise HostError(f"{path}: {error}.") from None


def read_settings(path: Path) -> dict[str, str]:
    """The `Values` of a local.settings.json.

    Raises:
        HostError: the file is missing, no JSON, or its values are not texts.
    """
    values = _read_object(path).get("Values", {})
    if not isinstance(values, dict) or not all(isinstance(v, str) for v in values.values()):
        raise HostError(f'{path}: "Values" must be an object of texts.')
    return dict(values)


def body_limit(settings: Mapping[str, str]) -> int:
    """The bytes that a request's body may have; what is no number changes nothing."""
    value = settings.get(_BODY_LIMIT, "").strip()
    return int(value) if value.isascii() and value.isdecimal() else _BODY_BYTES


def resolve(text: str, settings: Mapping[str, str]) -> str:
    """Replace each `%NAME%` by the setting of that name.

    Raises:
        HostError: there is no such setting.
    """

    def value(match: re.Match[str]) -> str:
        if match[1] not in settings:
            raise HostError(f"'%{match[1]}%' does not resolve: there is no such setting.")
        return settings[match[1]]

    return _SETTING.sub(value, text)


def _read_object(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise HostError(f"{path} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise HostError(f"{path} is not JSON: {error}.") from None
    if not isinstance(content, dict):
        raise HostError(f"{path} must hold an object.")
    return content


def _queues(entry: Mapping[str, Any]) -> QueueConfig:
    batch = _whole(entry, "batchSize", _DEFAULT_BATCH, 1, _MAX_BATCH)
    encoding = str(entry.get("messageEncoding", "base64")).lower()
    if encoding not in {"base64", "none"}:
        raise ValueError("messageEncoding must be base64 or none")
    return QueueConfig(
        batch_size=batch,
        new_batch_threshold=_whole(entry, "newBatchThreshold", batch // 2, 0, 10_000),
        max_dequeue_count=_whole(entry, "maxDequeueCount", 5, 1, 10_000),
        max_polling_interval=_span(entry, "maxPollingInterval", _POLLING_INTERVAL),
        visibility_timeout=_span(entry, "visibilityTimeout", _VISIBILITY_TIMEOUT),
        base64=encoding == "base64",
    )


def _whole(entry: Mapping[str, Any], name: str, default: int, low: int, high: int) -> int:
    value = entry.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ValueError(f"{name} must be a whole number from {low} to {high}")
    return value


def _span(entry: Mapping[str, Any], name: str, default: timedelta) -> timedelta:
    if name not in entry:
        return default
    match = _TIME_SPAN.fullmatch(str(entry[name]))
    if match is None:
        raise ValueError(f'{name} must be a time span such as "00:00:10"')
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
