"""Every setting that Parley reads: its name, its sentence, its form.

Nothing else reads the environment. `load` is called once, when the app starts. A setting that is
missing or malformed stops the start with one message that names each of them.
"""

from __future__ import annotations

import base64
import binascii
import functools
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from shared.base.errors import SettingsError
from shared.rules.categories import CATEGORIES
from shared.rules.limit_settings import (
    Budget,
    FloodLimits,
    OutOfReach,
    parse_budgets,
    parse_countries,
    parse_flood_limits,
    parse_out_of_reach,
)
from shared.rules.senders import Sender, parse_senders
from shared.rules.timing.quiet import QuietHours, parse_rules

if TYPE_CHECKING:
    from shared.rules.cost.prices import PriceTable

_REQUIRED: Final = object()
_MIN_KEY_BYTES: Final = 32
_API_VERSION: Final = re.compile(r"20[0-9]{2}-[01][0-9]-[0-3][0-9](?:-preview[0-9]*)?")
_ORIGIN: Final = re.compile(r"https?://[A-Za-z0-9.-]+(?::[0-9]{1,5})?")
_A_DAY: Final = 86_400
MOST_RETRIES: Final = 3


def _setting(
    name: str,
    about: str,
    parse: Callable[[str], Any],
    *,
    default: Any = _REQUIRED,
    secret: bool = False,
) -> Any:
    return field(
        repr=not secret,
        metadata={
            "name": name,
            "about": about,
            "parse": parse,
            "default": default,
            "secret": secret,
        },
    )


def _text(value: str) -> str:
    return value


def _url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("must be an http or https URL without a query")
    return value.rstrip("/")


def _key(value: str) -> bytes:
    try:
        key = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("must be base64") from None
    if len(key) < _MIN_KEY_BYTES:
        raise ValueError(f"must hold at least {_MIN_KEY_BYTES} bytes")
    return key


def _hosts(value: str) -> tuple[str, ...]:
    hosts = tuple(host.strip().lower() for host in value.split(",") if host.strip())
    if any("/" in host or " " in host for host in hosts):
        raise ValueError("must be host names with an optional port, separated by commas")
    return hosts


def _origins(value: str) -> tuple[str, ...]:
    origins = tuple(origin.strip() for origin in value.split(",") if origin.strip())
    if any(not _ORIGIN.fullmatch(origin) for origin in origins):
        raise ValueError("must be origins such as https://desk.example.com, separated by commas")
    return origins


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        if not value.isascii() or not value.isdigit() or not low <= int(value) <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return int(value)

    return parse


def _pauses(value: str) -> tuple[timedelta, ...]:
    if value == "0":
        return ()
    seconds = [_whole(1, _A_DAY)(part.strip()) for part in value.split(",")]
    if len(seconds) > MOST_RETRIES:
        raise ValueError(f"must be at most {MOST_RETRIES} numbers")
    return tuple(timedelta(seconds=each) for each in seconds)


def _api_version(value: str) -> str:
    if not _API_VERSION.fullmatch(value):
        raise ValueError("must be a date such as 2021-03-07")
    return value


def _categories(value: str) -> frozenset[str]:
    chosen = frozenset(part.strip() for part in value.split(",") if part.strip())
    if unknown := sorted(chosen - set(CATEGORIES)):
        raise ValueError(f"names {unknown[0]!r}; known are {', '.join(CATEGORIES)}")
    return chosen


def _senders(value: str) -> Mapping[str, Sender]:
    return MappingProxyType(parse_senders(value))


def _quiet_hours(value: str) -> QuietHours | None:
    # What a template writes for "none".
    return None if value == "{}" else parse_rules(value)


def _prices(value: str) -> PriceTable | None:
    # What a template writes for "none".
    if value == "{}":
        return None
    from shared.rules.cost.prices import parse_prices  # noqa: PLC0415  # only where there is a table

    return parse_prices(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The app's settings, typed. `describe` lists them with names and sentences."""

    senders: Mapping[str, Sender] = _setting(
        "PARLEY_SENDERS",
        "JSON list of the senders that may be used, one object each; only `sender` is required.",
        _senders,
    )
    access_key_primary: bytes = _setting(
        "PARLEY_ACCESS_KEY_PRIMARY",
        "Base64 access key with which applications sign requests to the ACS face.",
        _key,
        secret=True,
    )
    access_key_secondary: bytes | None = _setting(
        "PARLEY_ACCESS_KEY_SECONDARY",
        "A second access key, valid beside the first, so that either can be replaced.",
        _key,
        default=None,
        secret=True,
    )
    id_key: bytes = _setting(
        "PARLEY_ID_KEY",
        "Base64 key from which message ids are derived; never changed during a deployment's life.",
        _key,
        secret=True,
    )
    hosts: tuple[str, ...] = _setting(
        "PARLEY_HOSTS",
        "Further host names that a signature may name, separated by commas (custom domains).",
        _hosts,
        default=(),
    )
    storage: str | None = _setting(
        "PARLEY_STORAGE",
        "Connection string of the record's storage account; only where no identity can be used.",
        _text,
        default=None,
        secret=True,
    )
    tables_url: str | None = _setting(
        "PARLEY_STORAGE__tableServiceUri",
        "Table endpoint of the record's storage account, reached by managed identity.",
        _url,
        default=None,
    )
    queues_url: str | None = _setting(
        "PARLEY_STORAGE__queueServiceUri",
        "Queue endpoint of the record's storage account, reached by managed identity.",
        _url,
        default=None,
    )
    blobs_url: str | None = _setting(
        "PARLEY_STORAGE__blobServiceUri",
        "Blob endpoint of the record's storage account, reached by managed identity.",
        _url,
        default=None,
    )
    host_storage: str | None = _setting(
        "PARLEY_HOST_STORAGE",
        "Connection string of the host's storage account, where a witness says how far the opt-out"
        " ledger had come; only where no identity can be used.",
        _text,
        default=None,
        secret=True,
    )
    host_blobs_url: str | None = _setting(
        "PARLEY_HOST_STORAGE__blobServiceUri",
        "Blob endpoint of the host's storage account, reached by managed identity.",
        _url,
        default=None,
    )
    acs_endpoint: str = _setting(
        "PARLEY_ACS_ENDPOINT",
        "Endpoint of the Communication Services resource that texts are sent through.",
        _url,
    )
    acs_access_key: bytes | None = _setting(
        "PARLEY_ACS_ACCESS_KEY",
        "Access key of that resource; only where no identity can be used.",
        _key,
        default=None,
        secret=True,
    )
    acs_api_version: str = _setting(
        "PARLEY_ACS_API_VERSION",
        "The api-version that Parley speaks to ACS.",
        _api_version,
        default="2021-03-07",
    )
    acs_timeout_seconds: int = _setting(
        "PARLEY_ACS_TIMEOUT_SECONDS",
        "How long one send may wait for ACS, retries included; an attempt older than that is dead.",
        _whole(1, 120),
        default=30,
    )
    topic_endpoint: str = _setting(
        "PARLEY_TOPIC_ENDPOINT",
        "Endpoint of the Event Grid custom topic that Parley's own events go to.",
        _url,
    )
    topic_key: str | None = _setting(
        "PARLEY_TOPIC_KEY",
        "Access key of that topic; only where no identity can be used.",
        _text,
        default=None,
        secret=True,
    )
    identity_client_id: str | None = _setting(
        "AZURE_CLIENT_ID",
        "Client id of the managed identity that reaches storage, ACS and the topic.",
        _text,
        default=None,
    )
    telemetry: str | None = _setting(
        "APPLICATIONINSIGHTS_CONNECTION_STRING",
        "Where traces, metrics and logs are exported to; without it they are not.",
        _text,
        default=None,
    )
    message_shards: int = _setting(
        "PARLEY_MESSAGE_SHARDS",
        "Partitions that a minute of messages is spread over; never changed during a deployment's"
        " life.",
        _whole(1, 16),
        default=4,
    )
    repeat_window_seconds: int = _setting(
        "PARLEY_REPEAT_WINDOW_SECONDS",
        "How long after a first attempt of unknown outcome the same text may be tried again.",
        _whole(0, 3600),
        default=240,
    )
    send_again_when_uncertain: frozenset[str] = _setting(
        "PARLEY_SEND_AGAIN_WHEN_UNCERTAIN",
        "Categories in which a possible second text is better than silence, after that window.",
        _categories,
        default=frozenset(),
    )
    retry_after: tuple[timedelta, ...] = _setting(
        "PARLEY_RETRY_AFTER_SECONDS",
        "Pauses, separated by commas, after which a text with a time to live that failed for a"
        " passing reason is sent again: at most three, or 0 for never.",
        _pauses,
        default=(timedelta(minutes=5), timedelta(minutes=15), timedelta(minutes=45)),
    )
    allowed_countries: frozenset[str] = _setting(
        "PARLEY_ALLOWED_COUNTRIES",
        "ISO 3166 codes of the countries that may be texted, separated by commas; without it all.",
        parse_countries,
        default=frozenset(),
    )
    out_of_reach: OutOfReach = _setting(  # noqa: RUF009  # it makes a field
        "PARLEY_OUT_OF_REACH",
        "What happens to recipients that a sender's kind cannot reach: `warn` in previews and dry"
        " runs, or `refuse`.",
        parse_out_of_reach,
        default=OutOfReach.WARN,
    )
    daily_budgets: Mapping[str, Budget] | None = _setting(
        "PARLEY_DAILY_BUDGETS",
        "JSON object: program to the segments that it may send a UTC day, or to `segments` and"
        " `warnAt`, the share that is worth a warning.",
        parse_budgets,
        default=None,
    )
    flood_limits: FloodLimits | None = _setting(  # noqa: RUF009  # it makes a field
        "PARLEY_FLOOD_LIMITS",
        "JSON object with `number`, `range` or both: how many one-time codes (`codes`) may go to"
        " one number, or one range of numbers (`digits`), within so many `minutes`.",
        parse_flood_limits,
        default=None,
    )
    prices: PriceTable | None = _setting(  # noqa: RUF009  # it makes a field
        "PARLEY_PRICES",
        "JSON price table that takes the place of Parley's own, with currency and date.",
        _prices,
        default=None,
    )

    quiet_hours: QuietHours | None = _setting(  # noqa: RUF009  # a field specifier
        "PARLEY_QUIET_HOURS",
        "JSON of the hours in which marketing may leave, by place; without it the built-in ones.",
        _quiet_hours,
        default=None,
    )

    keep_messages_days: int = _setting(
        "PARLEY_KEEP_MESSAGES_DAYS",
        "Days that messages and conversations are kept, by whole months, 31 at least; 0 for ever.",
        _whole(0, 3650),
        default=0,
    )
    campaign_retention_days: int = _setting(
        "PARLEY_CAMPAIGN_RETENTION_DAYS",
        "Days that a campaign is kept after its end, and a list after it was put in place.",
        _whole(8, 3650),
        default=90,
    )

    console_frame_ancestors: tuple[str, ...] = _setting(
        "PARLEY_CONSOLE_FRAME_ANCESTORS",
        "Origins of the pages that may show the console in a frame, separated by commas.",
        _origins,
        default=(),
    )

    def __post_init__(self) -> None:
        """Hold the rules that span several settings."""
        programs = {sender.program for sender in self.senders.values()}
        problems = [
            f"PARLEY_DAILY_BUDGETS: {program!r} is the program of none of the senders"
            for program in sorted((self.daily_budgets or {}).keys() - programs)
        ]
        if self.storage is None:
            problems += [
                f"{name}: is missing, and so is PARLEY_STORAGE"
                for name, value in (
                    ("PARLEY_STORAGE__tableServiceUri", self.tables_url),
                    ("PARLEY_STORAGE__queueServiceUri", self.queues_url),
                    ("PARLEY_STORAGE__blobServiceUri", self.blobs_url),
                )
                if value is None
            ]
        if self.host_storage is None and self.host_blobs_url is None:
            problems.append(
                "PARLEY_HOST_STORAGE__blobServiceUri: is missing, and so is PARLEY_HOST_STORAGE"
            )
        if problems:
            raise SettingsError("Parley cannot start. " + "; ".join(problems) + ".")


@dataclass(frozen=True, slots=True)
class Description:
    """One setting, for documents and for tests that compare them with infra and local stack."""

    name: str
    about: str
    required: bool
    secret: bool
    default: Any


def describe() -> list[Description]:
    """All settings in the order of the class."""
    return [
        Description(
            name=item.metadata["name"],
            about=item.metadata["about"],
            required=item.metadata["default"] is _REQUIRED,
            secret=item.metadata["secret"],
            default=None if item.metadata["default"] is _REQUIRED else item.metadata["default"],
        )
        for item in fields(Settings)
    ]


def load(environ: Mapping[str, str]) -> Settings:
    """Read and check every setting. An empty value counts as missing.

    Raises:
        SettingsError: one message that names each missing or malformed setting; values of secrets
            are never in it.
    """
    values: dict[str, Any] = {}
    problems: list[str] = []
    for item in fields(Settings):
        name, default = item.metadata["name"], item.metadata["default"]
        text = environ.get(name, "").strip()
        if not text:
            if default is _REQUIRED:
                problems.append(f"{name}: is missing. {item.metadata['about']}")
            else:
                values[item.name] = default
            continue
        try:
            values[item.name] = item.metadata["parse"](text)
        except ValueError as error:
            problems.append(f"{name}: {error}")
        except RecursionError:
            problems.append(f"{name}: is nested too deeply")
    if problems:
        raise SettingsError("Parley cannot start. " + "; ".join(problems))
    return Settings(**values)


@functools.cache
def settings_of_this_app() -> Settings:
    """The app's settings, read once.

    Raises:
        SettingsError: naming every setting that is missing or malformed.
    """
    return load(os.environ)
