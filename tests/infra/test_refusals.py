"""What main.bicep refuses by its own rules, run as Azure would run them."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.errors import SettingsError
from shared.senders import kind_of
from shared.settings import load
from tests.infra.bicep import Refused, Template, decorated, template

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
SERVICE = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Communication"
    "/communicationServices/acs"
)
MAIN = template("main.bicep")


def main(**parameters: Any) -> Template:
    """main.bicep with these parameters, in a subscription of its own."""
    given_: Mapping[str, Any] = {"environmentName": "demo", "location": "eastus"} | parameters
    azure: dict[str, Callable[..., Any]] = {
        "subscription": lambda: {
            "id": f"/subscriptions/{SUBSCRIPTION}",
            "subscriptionId": SUBSCRIPTION,
        },
        # Thirteen characters, as Azure's own has.
        "unique_string": lambda *_: "abcdefghijklm",
    }
    return Template(MAIN, given_, azure)


def refusal(**parameters: Any) -> str:
    with pytest.raises(Refused) as refused:
        main(**parameters).variable("accepted")
    return str(refused.value)


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"senders": [{"sender": "+18005550100"}]},
        {"senders": [{"sender": "+18005550100", "ratePerMinute": 1}, {"sender": "12345"}]},
        {"senders": [{"sender": "Contoso"}]},
        {"environmentName": "a" * 30},
        {"existingCommunicationServiceId": SERVICE},
        {"existingCommunicationServiceId": SERVICE.replace("resourceGroups", "resourcegroups")},
    ],
    ids=str,
)
def test_accepts(parameters: dict[str, Any]) -> None:
    """Parameters that make sense are accepted."""
    template = main(**parameters)
    assert template.variable("accepted") == template.parameters["environmentName"]


@pytest.mark.parametrize(
    ("senders", "sentence"),
    [
        ([{"sender": "nobody at all"}], "senders: nobody at all is neither a number in E.164"),
        ([{"sender": "8005550100"}], "senders: 8005550100 is neither a number"),
        ([{"sender": ""}], "is neither a number"),
        (
            [{"sender": "+18005550100"}, {"sender": "+18005550100"}],
            "senders: +18005550100 is listed more than once.",
        ),
        (
            [{"sender": "+18005550100", "ratePerMinute": 0}],
            "senders: ratePerMinute of +18005550100 must be at least 1.",
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_refuses_senders(senders: list[dict[str, Any]], sentence: str) -> None:
    """A sender that is no number, two that are the same and a rate of 0 each have a sentence."""
    assert sentence in refusal(senders=senders)


def test_names_every_problem_once() -> None:
    """One refusal names all that is wrong, so that nobody mends one thing at a time."""
    said = refusal(
        environmentName="Demo",
        senders=[{"sender": "12"}, {"sender": "+18005550100"}, {"sender": "+18005550100"}],
    )
    assert said.count("listed more than once") == 1
    assert "12 is neither" in said
    assert "lower-case letters" in said


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("a" * 31, "and Azure allows 50 characters there."),
        ("under_score", "lower-case letters"),
        ("-edge", "inner hyphens"),
        ("edge-", "inner hyphens"),
    ],
)
def test_refuses_names(name: str, sentence: str) -> None:
    """An environment whose name makes another name too long or impossible is refused."""
    assert sentence in refusal(environmentName=name)


@pytest.mark.parametrize(
    "service",
    [
        "acs-demo",
        SERVICE.replace(SUBSCRIPTION, "99999999-2222-3333-4444-555555555555"),
        SERVICE.replace("Microsoft.Communication", "Microsoft.Storage"),
        SERVICE + "/more",
    ],
)
def test_refuses_what_is_no_communication_service(service: str) -> None:
    """An id of another subscription, of another kind or of no kind is refused."""
    assert "is not the resource id" in refusal(existingCommunicationServiceId=service)


@example("+1234567")
@example("+123456")
@example("+12345678901234567")
@example(" Contoso")
@example("123456")
@example("1234567")
@given(
    st.one_of(
        st.from_regex(r"\+?[0-9]{1,17}", fullmatch=True),
        st.text("AZaz09 +-_.é", max_size=13),
    )
)
def test_agrees_with_the_code_on_senders(address: str) -> None:
    """The template accepts a sender if and only if the app that it deploys does."""
    accepted = main(senders=[{"sender": address}]).variable("malformed") == []
    assert accepted is (kind_of(address) is not None)


def test_refuses_before_anything_is_made() -> None:
    """Each resource group is named by what the refusal lets through, so that none is made first."""
    for group in MAIN["resources"].values():
        with pytest.raises(Refused):
            main(environmentName="Demo").value(group["config"]["name"], {})
        assert main().value(group["config"]["name"], {}).startswith("rg-demo")


@pytest.mark.parametrize(
    ("parameter", "setting"),
    [
        ("acsTimeoutSeconds", "PARLEY_ACS_TIMEOUT_SECONDS"),
        ("messageShards", "PARLEY_MESSAGE_SHARDS"),
        ("repeatWindowSeconds", "PARLEY_REPEAT_WINDOW_SECONDS"),
        ("campaignRetentionDays", "PARLEY_CAMPAIGN_RETENTION_DAYS"),
    ],
)
def test_limits_are_those_of_the_settings(parameter: str, setting: str) -> None:
    """A number that the app would stop at is refused before the app is there, and no other is."""
    declared = MAIN["parameters"][parameter]
    least, most = decorated(declared, "min_value"), decorated(declared, "max_value")
    default = declared["default"]
    assert [stops_at(setting, value) for value in (least - 1, least, default, most, most + 1)] == [
        True,
        False,
        False,
        False,
        True,
    ]


def stops_at(setting: str, value: int) -> bool:
    key = b64encode(bytes(32)).decode()
    environment = {
        "PARLEY_SENDERS": '[{"sender": "+18005550100"}]',
        "PARLEY_ACCESS_KEY_PRIMARY": key,
        "PARLEY_ID_KEY": key,
        "PARLEY_STORAGE": "UseDevelopmentStorage=true",
        "PARLEY_ACS_ENDPOINT": "https://acs.example",
        "PARLEY_TOPIC_ENDPOINT": "https://topic.example",
    }
    load(environment)
    try:
        load(environment | {setting: str(value)})
    except SettingsError:
        return True
    return False


def test_every_parameter_is_described() -> None:
    """Whoever fills in a parameter is told what it means."""
    for name, declared in MAIN["parameters"].items():
        assert decorated(declared, "description"), name
