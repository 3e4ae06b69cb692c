"""Settings: one start, one message that names all that is wrong, and no secret in it."""

import base64
import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.base.errors import SettingsError
from shared.rules.cost.prices import parse_prices
from shared.rules.limit_settings import Budget, FloodLimit, FloodLimits
from shared.settings import Settings, describe, load

KEY = bytes(range(32))
KEY_TEXT = base64.b64encode(KEY).decode()
STORAGE = "DefaultEndpointsProtocol=https;AccountName=record;AccountKey=c2VjcmV0"
HOST_STORAGE = "DefaultEndpointsProtocol=https;AccountName=host;AccountKey=aG9zdA=="
# The least that an app needs with a storage connection string.
LEAST = {
    "PARLEY_SENDERS": json.dumps([{"sender": "+18005550100"}]),
    "PARLEY_ACCESS_KEY_PRIMARY": KEY_TEXT,
    "PARLEY_ID_KEY": KEY_TEXT,
    "PARLEY_STORAGE": STORAGE,
    "PARLEY_HOST_STORAGE": HOST_STORAGE,
    "PARLEY_ACS_ENDPOINT": "https://contoso.communication.azure.com",
    "PARLEY_TOPIC_ENDPOINT": "https://parley.westus2-1.eventgrid.azure.net/api/events",
}
STORAGE_URLS = {
    "PARLEY_STORAGE__tableServiceUri": "https://record.table.core.windows.net",
    "PARLEY_STORAGE__queueServiceUri": "https://record.queue.core.windows.net",
    "PARLEY_STORAGE__blobServiceUri": "https://record.blob.core.windows.net",
}
BY_IDENTITY = {**LEAST, "PARLEY_STORAGE": "", **STORAGE_URLS}
PRICES = (
    '{"currency": "EUR", "asOf": "2026-01-01",'
    ' "rows": [{"kind": "longCode", "country": "GB", "price": "0.04", "surcharge": "0"}]}'
)
NAMES = [setting.name for setting in describe()]
REQUIRED = [setting.name for setting in describe() if setting.required]
SECRET = [setting.name for setting in describe() if setting.secret]


def _refusal(environ: dict[str, str]) -> str:
    with pytest.raises(SettingsError) as error:
        load(environ)
    return str(error.value)


@pytest.mark.parametrize("depth", [500, 30_000])
@pytest.mark.parametrize("name", NAMES)
def test_no_setting_is_too_deep_to_be_refused(name: str, depth: int) -> None:
    """A setting that is nested very deeply stops the start with its name, as any that is wrong."""
    deep = "[" * depth + "]" * depth
    for text in (deep, f'{{"default": {deep}}}', f'[{{"sender": "+18005550100", "kind": {deep}}}]'):
        environ = {**BY_IDENTITY, name: text}
        try:
            load(environ)
        except SettingsError as error:
            assert name in str(error)  # noqa: PT017  # what is no JSON may be right as it is


def test_the_least_is_enough() -> None:
    """Everything else has a default that suits a small deployment."""
    settings = load(LEAST)
    assert list(settings.senders) == ["+18005550100"]
    assert settings.access_key_primary == settings.id_key == KEY
    assert settings.storage == STORAGE
    left_out = {setting.name: setting.default for setting in describe() if not setting.required}
    assert left_out == {
        "PARLEY_ACCESS_KEY_SECONDARY": None,
        "PARLEY_HOSTS": (),
        "PARLEY_STORAGE": None,
        "PARLEY_STORAGE__tableServiceUri": None,
        "PARLEY_STORAGE__queueServiceUri": None,
        "PARLEY_STORAGE__blobServiceUri": None,
        "PARLEY_HOST_STORAGE": None,
        "PARLEY_HOST_STORAGE__blobServiceUri": None,
        "PARLEY_ACS_ACCESS_KEY": None,
        "PARLEY_ACS_API_VERSION": "2021-03-07",
        "PARLEY_ACS_TIMEOUT_SECONDS": 30,
        "PARLEY_TOPIC_KEY": None,
        "AZURE_CLIENT_ID": None,
        "APPLICATIONINSIGHTS_CONNECTION_STRING": None,
        "PARLEY_MESSAGE_SHARDS": 4,
        "PARLEY_REPEAT_WINDOW_SECONDS": 240,
        "PARLEY_SEND_AGAIN_WHEN_UNCERTAIN": frozenset(),
        "PARLEY_RETRY_AFTER_SECONDS": (
            timedelta(minutes=5),
            timedelta(minutes=15),
            timedelta(minutes=45),
        ),
        "PARLEY_ALLOWED_COUNTRIES": frozenset(),
        "PARLEY_OUT_OF_REACH": "warn",
        "PARLEY_DAILY_BUDGETS": None,
        "PARLEY_FLOOD_LIMITS": None,
        "PARLEY_PRICES": None,
        "PARLEY_QUIET_HOURS": None,
        "PARLEY_KEEP_MESSAGES_DAYS": 0,
        "PARLEY_CAMPAIGN_RETENTION_DAYS": 90,
        "PARLEY_CONSOLE_FRAME_ANCESTORS": (),
    }


@pytest.mark.parametrize(
    ("name", "text", "member", "value"),
    [
        ("PARLEY_ACCESS_KEY_SECONDARY", KEY_TEXT, "access_key_secondary", KEY),
        ("PARLEY_HOSTS", "sms.contoso.com, SMS:8443 ,", "hosts", ("sms.contoso.com", "sms:8443")),
        ("PARLEY_ACS_ENDPOINT", "http://127.0.0.1:80/", "acs_endpoint", "http://127.0.0.1:80"),
        ("PARLEY_ACS_ENDPOINT", " https://a.b ", "acs_endpoint", "https://a.b"),
        ("PARLEY_ACS_ACCESS_KEY", KEY_TEXT, "acs_access_key", KEY),
        ("PARLEY_ACS_API_VERSION", "2026-01-23", "acs_api_version", "2026-01-23"),
        ("PARLEY_ACS_API_VERSION", "2024-12-10-preview", "acs_api_version", "2024-12-10-preview"),
        ("PARLEY_ACS_TIMEOUT_SECONDS", "1", "acs_timeout_seconds", 1),
        ("PARLEY_ACS_TIMEOUT_SECONDS", "120", "acs_timeout_seconds", 120),
        ("PARLEY_TOPIC_KEY", "abc", "topic_key", "abc"),
        ("AZURE_CLIENT_ID", "0d1e", "identity_client_id", "0d1e"),
        ("PARLEY_MESSAGE_SHARDS", "16", "message_shards", 16),
        ("PARLEY_REPEAT_WINDOW_SECONDS", "0", "repeat_window_seconds", 0),
        ("PARLEY_CAMPAIGN_RETENTION_DAYS", "8", "campaign_retention_days", 8),
        (
            "PARLEY_SEND_AGAIN_WHEN_UNCERTAIN",
            "oneTimeCode, transactional",
            "send_again_when_uncertain",
            {"oneTimeCode", "transactional"},
        ),
        ("PARLEY_RETRY_AFTER_SECONDS", "0", "retry_after", ()),
        (
            "PARLEY_RETRY_AFTER_SECONDS",
            "60, 90",
            "retry_after",
            (timedelta(minutes=1), timedelta(seconds=90)),
        ),
        ("PARLEY_ALLOWED_COUNTRIES", "us, CA,PR,", "allowed_countries", {"US", "CA", "PR"}),
        ("PARLEY_ALLOWED_COUNTRIES", ",", "allowed_countries", frozenset()),
        ("PARLEY_OUT_OF_REACH", " Refuse", "out_of_reach", "refuse"),
        ("PARLEY_OUT_OF_REACH", "warn", "out_of_reach", "warn"),
        ("PARLEY_DAILY_BUDGETS", "{}", "daily_budgets", {}),
        (
            "PARLEY_DAILY_BUDGETS",
            '{"+18005550100": 1000}',
            "daily_budgets",
            {"+18005550100": Budget(1000, 800)},
        ),
        (
            "PARLEY_DAILY_BUDGETS",
            '{"+18005550100": {"segments": 10, "warnAt": 0.91}}',
            "daily_budgets",
            {"+18005550100": Budget(10, 10)},
        ),
        ("PARLEY_FLOOD_LIMITS", "{}", "flood_limits", FloodLimits()),
        (
            "PARLEY_FLOOD_LIMITS",
            '{"number": {}, "range": {"codes": 9, "minutes": 60}}',
            "flood_limits",
            FloodLimits(
                FloodLimit(5, timedelta(minutes=10)), FloodLimit(9, timedelta(minutes=60), 8)
            ),
        ),
        ("PARLEY_PRICES", "{}", "prices", None),
        ("PARLEY_QUIET_HOURS", "{}", "quiet_hours", None),
        (
            "PARLEY_CONSOLE_FRAME_ANCESTORS",
            "https://desk.example.com, http://127.0.0.1:8080,",
            "console_frame_ancestors",
            ("https://desk.example.com", "http://127.0.0.1:8080"),
        ),
        ("PARLEY_PRICES", PRICES, "prices", parse_prices(PRICES)),
    ],
)
def test_settings_have_types(name: str, text: str, member: str, value: Any) -> None:
    """A setting is text outside and a value of its type inside."""
    assert getattr(load({**LEAST, name: text}), member) == value


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("PARLEY_SENDERS", "[]", "at least one sender"),
        ("PARLEY_SENDERS", "+18005550100", "is not JSON"),
        ("PARLEY_SENDERS", '[{"sender": "1234567"}]', "entry 1"),
        ("PARLEY_ACCESS_KEY_PRIMARY", "not base64!", "must be base64"),
        ("PARLEY_ACCESS_KEY_PRIMARY", "c2hvcnQ=", "must hold at least 32 bytes"),
        ("PARLEY_ACCESS_KEY_SECONDARY", "ключ", "must be base64"),
        ("PARLEY_ID_KEY", KEY_TEXT[:-1], "must be base64"),
        ("PARLEY_ACS_ACCESS_KEY", "c2hvcnQ=", "must hold at least 32 bytes"),
        ("PARLEY_HOSTS", "https://sms.contoso.com", "must be host names"),
        ("PARLEY_HOSTS", "sms contoso", "must be host names"),
        ("PARLEY_ACS_ENDPOINT", "contoso.communication.azure.com", "http or https URL"),
        ("PARLEY_ACS_ENDPOINT", "ftp://contoso", "http or https URL"),
        ("PARLEY_ACS_ENDPOINT", "https://", "http or https URL"),
        ("PARLEY_ACS_ENDPOINT", "https://a.b?c=d", "http or https URL"),
        ("PARLEY_ACS_ENDPOINT", "https://a.b#c", "http or https URL"),
        ("PARLEY_ACS_ENDPOINT", "https://[::1", ""),
        ("PARLEY_TOPIC_ENDPOINT", "eventgrid", "http or https URL"),
        ("PARLEY_STORAGE__tableServiceUri", "record", "http or https URL"),
        ("PARLEY_STORAGE__queueServiceUri", "record", "http or https URL"),
        ("PARLEY_STORAGE__blobServiceUri", "record", "http or https URL"),
        ("PARLEY_ACS_API_VERSION", "latest", "must be a date"),
        ("PARLEY_ACS_API_VERSION", "2021-3-7", "must be a date"),
        ("PARLEY_ACS_TIMEOUT_SECONDS", "0", "whole number from 1 to 120"),
        ("PARLEY_ACS_TIMEOUT_SECONDS", "121", "whole number from 1 to 120"),
        ("PARLEY_ACS_TIMEOUT_SECONDS", "30s", "whole number from 1 to 120"),
        ("PARLEY_ACS_TIMEOUT_SECONDS", "-5", "whole number from 1 to 120"),
        ("PARLEY_ACS_TIMEOUT_SECONDS", "1.5", "whole number from 1 to 120"),
        ("PARLEY_ACS_TIMEOUT_SECONDS", "\u0663\u0660", "whole number from 1 to 120"),
        ("PARLEY_MESSAGE_SHARDS", "17", "whole number from 1 to 16"),
        ("PARLEY_REPEAT_WINDOW_SECONDS", "3601", "whole number from 0 to 3600"),
        ("PARLEY_CAMPAIGN_RETENTION_DAYS", "7", "whole number from 8 to 3650"),
        ("PARLEY_SEND_AGAIN_WHEN_UNCERTAIN", "promotions", "names 'promotions'"),
        ("PARLEY_RETRY_AFTER_SECONDS", "1,2,3,4", "at most 3 numbers"),
        ("PARLEY_RETRY_AFTER_SECONDS", "60,0", "whole number from 1 to 86400"),
        ("PARLEY_RETRY_AFTER_SECONDS", "five", "whole number from 1 to 86400"),
        ("PARLEY_ALLOWED_COUNTRIES", "US,UK", "names 'UK'"),
        ("PARLEY_ALLOWED_COUNTRIES", "US;CA", "names 'US;CA'"),
        ("PARLEY_OUT_OF_REACH", "yes", "neither warn nor refuse"),
        ("PARLEY_DAILY_BUDGETS", "1000", "must be a JSON object"),
        ("PARLEY_DAILY_BUDGETS", "{", "is not JSON"),
        ("PARLEY_DAILY_BUDGETS", '{"a": -1}', "a: segments must be a whole number from 0"),
        ("PARLEY_DAILY_BUDGETS", '{"a": true}', "a: segments must be a whole number"),
        ("PARLEY_DAILY_BUDGETS", '{"a": {"warnAt": 0.5}}', "a: segments must be a whole number"),
        ("PARLEY_DAILY_BUDGETS", '{"a": {"segments": 1, "warnAt": 80}}', "a: warnAt must be"),
        ("PARLEY_DAILY_BUDGETS", '{"a": {"segments": 1, "warnAt": NaN}}', "a: warnAt must be"),
        ("PARLEY_DAILY_BUDGETS", '{"a": {"segments": 1, "day": 1}}', "unknown member 'day'"),
        ("PARLEY_DAILY_BUDGETS", '{"offers": 1}', "'offers' is the program of none"),
        ("PARLEY_FLOOD_LIMITS", "[]", "must be a JSON object"),
        ("PARLEY_FLOOD_LIMITS", '{"country": {}}', "unknown member 'country'"),
        ("PARLEY_FLOOD_LIMITS", '{"number": 5}', "number must be an object"),
        ("PARLEY_FLOOD_LIMITS", '{"number": {"digits": 5}}', "unknown member 'digits'"),
        ("PARLEY_FLOOD_LIMITS", '{"number": {"codes": 0}}', "number: codes must be a whole number"),
        ("PARLEY_FLOOD_LIMITS", '{"range": {"digits": 15}}', "range: digits must be"),
        ("PARLEY_FLOOD_LIMITS", '{"range": {"minutes": 1441}}', "range: minutes must be"),
        ("PARLEY_PRICES", "[]", "must be a JSON object"),
        ("PARLEY_QUIET_HOURS", "[]", "must be a JSON object"),
        ("PARLEY_CONSOLE_FRAME_ANCESTORS", "https://a.b; script-src *", "must be origins"),
        ("PARLEY_CONSOLE_FRAME_ANCESTORS", "*", "must be origins"),
        ("PARLEY_PRICES", '{"currency": "usd"}', "currency must be"),
    ],
)
def test_a_malformed_setting_is_named(name: str, text: str, words: str) -> None:
    """The start stops with the setting's name and what it must look like."""
    refusal = _refusal({**LEAST, name: text})
    assert f"{name}: " in refusal
    assert words in refusal
    assert not [other for other in NAMES if f"{other}: " in refusal and other != name]


@pytest.mark.parametrize("name", REQUIRED)
@pytest.mark.parametrize("text", [None, "", "  "])
def test_a_missing_setting_is_named_and_explained(name: str, text: str | None) -> None:
    """Absent and empty are the same: the message says which setting is missing, and what it is."""
    environ = {key: value for key, value in LEAST.items() if key != name}
    about = next(setting.about for setting in describe() if setting.name == name)
    refusal = _refusal(environ if text is None else {**environ, name: text})
    assert f"{name}: is missing. {about}" in refusal


def test_all_problems_come_in_one_message() -> None:
    """Nobody mends settings one restart at a time."""
    refusal = _refusal({"PARLEY_ACS_TIMEOUT_SECONDS": "soon"})
    for name in [*REQUIRED, "PARLEY_ACS_TIMEOUT_SECONDS"]:
        assert f"{name}: " in refusal


def test_an_identity_can_take_the_place_of_the_connection_string() -> None:
    """With the three endpoints no storage secret is needed."""
    settings = load(BY_IDENTITY)
    assert settings.storage is None
    assert settings.tables_url == "https://record.table.core.windows.net"


@pytest.mark.parametrize("missing", STORAGE_URLS)
def test_storage_is_complete_either_way(missing: str) -> None:
    """Without a connection string all three endpoints must be there; the missing one is named."""
    refusal = _refusal({**BY_IDENTITY, missing: ""})
    assert f"{missing}: is missing, and so is PARLEY_STORAGE" in refusal


def test_there_is_a_place_for_the_witness() -> None:
    """Without the host's account nothing could tell a ledger that was put back from a young one."""
    name = "PARLEY_HOST_STORAGE__blobServiceUri"
    refusal = _refusal({**LEAST, "PARLEY_HOST_STORAGE": ""})
    assert f"{name}: is missing, and so is PARLEY_HOST_STORAGE" in refusal
    settings = load(
        {**LEAST, "PARLEY_HOST_STORAGE": "", name: "https://host.blob.core.windows.net"}
    )
    assert (settings.host_storage, settings.host_blobs_url) == (
        None, "https://host.blob.core.windows.net",
    )  # fmt: skip


@pytest.mark.parametrize("name", SECRET)
@given(st.text("abcdefgh=!", min_size=20, max_size=30))
def test_secrets_are_never_in_a_message(name: str, secret: str) -> None:
    """Start-up messages end in logs: a malformed secret is named there, never quoted."""
    refusal = _refusal({**LEAST, name: secret, "PARLEY_MESSAGE_SHARDS": "none"})
    assert secret not in refusal


def test_settings_do_not_print_their_secrets() -> None:
    """Settings that end in a traceback or a log show none of what opens something."""
    shown = repr(load({**LEAST, "PARLEY_TOPIC_KEY": "the topic's key"}))
    assert repr(KEY) not in shown
    assert STORAGE not in shown
    assert HOST_STORAGE not in shown
    assert "the topic's key" not in shown


def test_keys_are_described_as_secrets() -> None:
    """Whatever opens something is marked, for infra to keep it in the vault."""
    assert sorted(SECRET) == [
        "PARLEY_ACCESS_KEY_PRIMARY",
        "PARLEY_ACCESS_KEY_SECONDARY",
        "PARLEY_ACS_ACCESS_KEY",
        "PARLEY_HOST_STORAGE",
        "PARLEY_ID_KEY",
        "PARLEY_STORAGE",
        "PARLEY_TOPIC_KEY",
    ]


def test_every_setting_is_described_once() -> None:
    """Each has a name of its own and a sentence for people."""
    assert len(NAMES) == len(set(NAMES)) == len(Settings.__dataclass_fields__)
    assert all(setting.about.endswith(".") for setting in describe())


def test_other_variables_do_not_matter() -> None:
    """The environment is full of other people's variables."""
    assert load({**LEAST, "PATH": "/bin", "PARLEY_UNHEARD_OF": "1"}) == load(LEAST)


def test_settings_do_not_change() -> None:
    """What was checked at the start holds for the life of the process."""
    settings = load(LEAST)
    with pytest.raises(AttributeError):
        settings.message_shards = 9  # type: ignore[misc]  # that is the point
    with pytest.raises(TypeError):
        settings.senders["12345"] = settings.senders["+18005550100"]  # type: ignore[index]
