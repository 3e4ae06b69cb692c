"""What main.bicep refuses by its own rules, run as Azure would run them."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pycep.models import BicepElement

from shared.base.errors import SettingsError
from shared.rules.senders import kind_of
from shared.settings import load
from tests.infra.bicep import Refused, Template, decorated, template, walk
from tests.infra.test_templates import DRAWN

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
SERVICE = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Communication"
    "/communicationServices/acs"
)
MAIN = template("main.bicep")
# Settings with which the app starts.
STARTS = {
    "PARLEY_SENDERS": '[{"sender": "+18005550100"}]',
    "PARLEY_ACCESS_KEY_PRIMARY": b64encode(bytes(32)).decode(),
    "PARLEY_ID_KEY": b64encode(bytes(32)).decode(),
    "PARLEY_STORAGE": "UseDevelopmentStorage=true",
    "PARLEY_HOST_STORAGE": "UseDevelopmentStorage=true",
    "PARLEY_ACS_ENDPOINT": "https://acs.example",
    "PARLEY_TOPIC_ENDPOINT": "https://topic.example",
}


def main(**parameters: Any) -> Template:
    """main.bicep with these parameters, in a subscription of its own."""
    given_: Mapping[str, Any] = {"environmentName": "demo", "location": "eastus"} | parameters
    azure: dict[str, Callable[..., Any]] = {
        "subscription": lambda: {
            "id": f"/subscriptions/{SUBSCRIPTION}",
            "subscriptionId": SUBSCRIPTION,
        },
        # Thirteen characters that depend on every argument, as Azure's own.
        "unique_string": lambda *parts: sha256("|".join(parts).encode()).hexdigest()[:13],
        "new_guid": lambda: str(uuid4()),
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
        ("keepMessagesDays", "PARLEY_KEEP_MESSAGES_DAYS"),
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
    load(STARTS)
    try:
        load(STARTS | {setting: str(value)})
    except SettingsError:
        return True
    return False


def test_drawn_keys_are_keys() -> None:
    """What Azure draws for a key starts the app, is long enough for the template, and is no other
    key."""
    keys = {name: main().value(MAIN["parameters"][name]["default"], {}) for name in DRAWN}
    assert len(set(keys.values())) == len(DRAWN)
    for name, key in keys.items():
        assert len(key) >= int(decorated(MAIN["parameters"][name], "min_length"))
    loaded = load(
        STARTS
        | {
            "PARLEY_ACCESS_KEY_PRIMARY": keys["accessKeyPrimary"],
            "PARLEY_ACCESS_KEY_SECONDARY": keys["accessKeySecondary"],
            "PARLEY_ID_KEY": keys["idKey"],
        }
    )
    assert loaded.id_key == b64decode(keys["idKey"])


@pytest.mark.parametrize("spelling", ["eastus", "EastUS", "East US", "EAST US"])
def test_names_do_not_depend_on_how_a_region_is_spelt(spelling: str) -> None:
    """Azure takes a region's code and its display name for one; another name would be another,
    empty ledger."""
    assert main(location=spelling).variable("token") == main().variable("token")
    assert main(location=spelling).variable("region") == "eastus"


def test_names_depend_on_the_region() -> None:
    """An environment of the same name elsewhere is another deployment."""
    assert main(location="eastus2").variable("token") != main().variable("token")


def test_nothing_but_the_region_reads_the_location() -> None:
    """No resource is named or placed by the spelling that was typed."""
    read = [
        name
        for kind in ("variables", "resources", "modules", "outputs")
        for name, declared in MAIN.get(kind, {}).items()
        for node in walk(declared)
        if node == "location" and isinstance(node, BicepElement)
    ]
    assert read == ["region"]


def test_every_parameter_is_described() -> None:
    """Whoever fills in a parameter is told what it means."""
    for name, declared in MAIN["parameters"].items():
        assert decorated(declared, "description"), name
