"""What the templates promise about versions, rights, secrets and events."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pycep.models import BicepElement

from local.bicep_settings import LOCAL_KEYS, PLATFORM, template_names
from local.stack import BODY_LIMIT, CONTAINERS, HOST_CONTAINERS, QUEUES, TABLES
from shared.azure import telemetry
from shared.campaigns.list_uploads import LARGEST_LIST
from shared.campaigns.store import CONTAINER
from shared.optouts.witness import CONTAINER as WITNESS_CONTAINER
from shared.receiving.quarantine import CONTAINER as QUARANTINE
from shared.settings import describe
from tests.infra.bicep import (
    INFRA,
    at,
    body,
    condition,
    decorated,
    interpolated,
    template,
    templates,
    walk,
)

STAGE_TWO = ("events.bicep", "webhook.bicep")
# The keys that each deployment draws; the vault keeps the first ones.
DRAWN = ("accessKeyPrimary", "accessKeySecondary", "idKey")

VERSIONS = {
    "Microsoft.Authorization/locks": "2020-05-01",
    "Microsoft.Authorization/roleAssignments": "2022-04-01",
    "Microsoft.Communication/communicationServices": "2025-09-01",
    "Microsoft.EventGrid/systemTopics": "2025-02-15",
    "Microsoft.EventGrid/systemTopics/eventSubscriptions": "2025-02-15",
    "Microsoft.EventGrid/topics": "2025-02-15",
    "Microsoft.EventGrid/topics/eventSubscriptions": "2025-02-15",
    "Microsoft.Insights/actionGroups": "2023-01-01",
    "Microsoft.Insights/components": "2020-02-02",
    "Microsoft.Insights/diagnosticSettings": "2021-05-01-preview",
    "Microsoft.Insights/metricAlerts": "2018-03-01",
    "Microsoft.Insights/scheduledQueryRules": "2023-12-01",
    "Microsoft.Insights/workbooks": "2023-06-01",
    "Microsoft.KeyVault/vaults": "2024-11-01",
    "Microsoft.KeyVault/vaults/secrets": "2024-11-01",
    "Microsoft.ManagedIdentity/userAssignedIdentities": "2024-11-30",
    "Microsoft.OperationalInsights/workspaces": "2025-07-01",
    "Microsoft.Resources/resourceGroups": "2025-04-01",
    "Microsoft.Storage/storageAccounts": "2025-06-01",
    "Microsoft.Storage/storageAccounts/blobServices": "2025-06-01",
    "Microsoft.Storage/storageAccounts/blobServices/containers": "2025-06-01",
    "Microsoft.Storage/storageAccounts/managementPolicies": "2025-06-01",
    "Microsoft.Storage/storageAccounts/queueServices": "2025-06-01",
    "Microsoft.Storage/storageAccounts/queueServices/queues": "2025-06-01",
    "Microsoft.Storage/storageAccounts/tableServices": "2025-06-01",
    "Microsoft.Storage/storageAccounts/tableServices/tables": "2025-06-01",
    "Microsoft.Web/serverfarms": "2025-03-01",
    "Microsoft.Web/sites": "2025-03-01",
    "Microsoft.Web/sites/basicPublishingCredentialsPolicies": "2025-03-01",
    "Microsoft.Web/sites/config": "2025-03-01",
}

# Who may do what, and where: the identity, the symbol that the right is scoped to, the role.
APP, SYSTEM_TOPIC, TOPIC = "app", "system topic", "outgoing topic"
RIGHTS = {
    ("record.bicep", APP, "storage", "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3"),
    ("record.bicep", APP, "queues", "974c5e8b-45b9-4653-ba55-5f855dd0fb88"),
    ("record.bicep", APP, "containers", "ba92f5b4-2d11-453d-a403-e96b0029c9fe"),
    ("record.bicep", APP, "primaryKey", "4633458b-17de-408a-b874-0445c86b69e6"),
    ("record.bicep", APP, "secondaryKey", "4633458b-17de-408a-b874-0445c86b69e6"),
    ("record.bicep", APP, "messageIdKey", "4633458b-17de-408a-b874-0445c86b69e6"),
    ("communication.bicep", APP, "communicationService", "09976791-48a7-449e-bb21-39d1a415f350"),
    ("app.bicep", APP, "storage", "b7e6dc6d-f1e8-4753-8033-0f276bb0955b"),
    ("app.bicep", APP, "topic", "d5a91429-5739-47e2-a06b-3470a27159e7"),
    ("watch.bicep", APP, "insights", "3913510d-42f4-4e42-8a64-420c390055eb"),
    ("deadletters.bicep", SYSTEM_TOPIC, "container", "ba92f5b4-2d11-453d-a403-e96b0029c9fe"),
    ("deadletters.bicep", TOPIC, "container", "ba92f5b4-2d11-453d-a403-e96b0029c9fe"),
}
PRINCIPALS = {
    "identity.properties.principalId": APP,
    "identityPrincipalId": APP,
    "systemTopicPrincipalId": SYSTEM_TOPIC,
    "topicPrincipalId": TOPIC,
}


def resources(*names: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for name in names or templates():
        for symbol, resource in template(name).get("resources", {}).items():
            yield name, symbol, resource


def of_type(kind: str, *names: str) -> list[tuple[str, str, dict[str, Any]]]:
    return [found for found in resources(*names) if found[2]["type"] == kind]


def spelt(node: Any) -> str:
    """A chain of members, as it was written."""
    if isinstance(node, str):
        return node
    return ".".join(spelt(operand) for operand in node["operator"]["operands"].values())


def test_versions() -> None:
    """Each type is used in one version, the one that was looked up."""
    found = {(resource["type"], resource["api_version"]) for _, _, resource in resources()}
    assert found == set(VERSIONS.items())


def test_rights() -> None:
    """Every identity has the rights of the table, each on the smallest thing that serves."""
    found = set()
    for name, _, resource in of_type("Microsoft.Authorization/roleAssignments"):
        assignment = body(resource)
        scope = assignment["scope"]
        symbol = scope if isinstance(scope, str) else scope["operator"]["operands"]["operand_1"]
        definition = at(assignment, "properties", "roleDefinitionId", "function", "parameters")
        role = definition["resource_name_1"]["operator"]["operands"]["operand_2"]
        roles = template(name)["variables"]["roles"]["value"]
        principal = PRINCIPALS[spelt(at(assignment, "properties", "principalId"))]
        found.add((name, principal, str(symbol), roles[role]))
        assert at(assignment, "properties", "principalType") == "ServicePrincipal"
    assert found == RIGHTS


def test_no_role_is_named_for_nothing() -> None:
    """A role that a template lists is one that it gives."""
    for name in templates():
        listed = template(name).get("variables", {}).get("roles", {}).get("value", {})
        given = {role for file, _, _, role in RIGHTS if file == name}
        assert set(listed.values()) == given, name


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("Microsoft.Storage/storageAccounts", ("properties", "allowSharedKeyAccess"), False),
        ("Microsoft.Storage/storageAccounts", ("properties", "allowBlobPublicAccess"), False),
        ("Microsoft.Storage/storageAccounts", ("properties", "minimumTlsVersion"), "TLS1_2"),
        (
            "Microsoft.Storage/storageAccounts/blobServices/containers",
            ("properties", "publicAccess"),
            "None",
        ),
        (
            "Microsoft.Communication/communicationServices",
            ("properties", "disableLocalAuth"),
            True,
        ),
        ("Microsoft.EventGrid/topics", ("properties", "disableLocalAuth"), True),
        ("Microsoft.EventGrid/topics", ("properties", "inputSchema"), "CloudEventSchemaV1_0"),
        ("Microsoft.Insights/components", ("properties", "DisableLocalAuth"), True),
        ("Microsoft.KeyVault/vaults", ("properties", "enableRbacAuthorization"), True),
        ("Microsoft.Web/sites", ("properties", "httpsOnly"), True),
        (
            "Microsoft.Web/sites/basicPublishingCredentialsPolicies",
            ("properties", "allow"),
            False,
        ),
    ],
    ids=lambda value: str(value).rsplit("/", maxsplit=1)[-1],
)
def test_no_key_opens_anything(kind: str, path: tuple[str, ...], value: Any) -> None:
    """Where Azure lets keys and passwords be switched off, they are."""
    made = [resource for _, _, resource in of_type(kind) if not resource["existing"]]
    assert made
    for resource in made:
        assert at(body(resource), *path) == value


def test_lists_that_are_forgotten_are_gone() -> None:
    """The record keeps versions; earlier ones of recipient lists and of events in quarantine are
    deleted: a person who was erased stands in them."""
    [(_, _, resource)] = of_type("Microsoft.Storage/storageAccounts/managementPolicies")
    versions, dead = body(resource)["properties"]["policy"]["rules"]
    assert versions["definition"]["filters"]["prefixMatch"][:2] == [
        f"{CONTAINER}/",
        f"{QUARANTINE}/",
    ]
    assert list(versions["definition"]["actions"]) == ["version"]
    # What the app has no right to goes by the same setting as what it drops itself.
    assert "deadLetter" in str(dead["definition"]["filters"]["prefixMatch"])
    assert "keepMessagesDays" in str(dead["enabled"])
    assert list(dead["definition"]["actions"]) == ["baseBlob"]


def settings() -> dict[str, Any]:
    [(_, _, resource)] = of_type("Microsoft.Web/sites/config")
    found: dict[str, Any] = body(resource)["properties"]
    return found


def test_settings_are_those_that_the_code_reads() -> None:
    """Bicep sets what the code reads, but for keys that an identity replaces, and no more."""
    read = {setting.name for setting in describe()} - LOCAL_KEYS
    assert template_names() == read | PLATFORM
    assert not read & PLATFORM


def test_the_largest_body() -> None:
    """What this machine's host reads is read in Azure, and a list that Parley takes is smaller."""
    limit = int(settings()["FUNCTIONS_REQUEST_BODY_SIZE_LIMIT"])
    assert limit == BODY_LIMIT
    assert limit > LARGEST_LIST


def test_flex_settings() -> None:
    """Flex Consumption refuses or ignores the settings that older plans wanted."""
    assert not settings().keys() & {
        "FUNCTIONS_EXTENSION_VERSION",
        "FUNCTIONS_WORKER_RUNTIME",
        "SCM_DO_BUILD_DURING_DEPLOYMENT",
        "WEBSITE_RUN_FROM_PACKAGE",
    }


def test_secret_settings_are_references() -> None:
    """A secret reaches the app by a reference to the vault, and nothing else does."""
    secret = {setting.name for setting in describe() if setting.secret} - LOCAL_KEYS
    references = {
        name
        for name, value in settings().items()
        if isinstance(value, str) and value.startswith("@Microsoft.KeyVault(SecretUri=")
    }
    assert references == secret


def test_references_name_secrets_that_are_made() -> None:
    """Each reference names a secret that the record's template writes."""
    made = {
        body(resource)["name"] for _, _, resource in of_type("Microsoft.KeyVault/vaults/secrets")
    }
    named = re.findall(r"secrets/([a-z-]+)\)", json.dumps(settings(), default=str))
    assert set(named) == made
    assert len(named) == len(made)


def test_keys_are_written_once() -> None:
    """A second deployment brings other keys and must not put them in the place of the first."""
    for _, symbol, resource in of_type("Microsoft.KeyVault/vaults/secrets"):
        assert decorated(resource, "onlyIfNotExists"), symbol


def test_no_secret_leaves_a_template() -> None:
    """No output holds a secret parameter, and no template asks Azure for a key."""
    for name in templates():
        parsed = template(name)
        secret = {
            parameter
            for parameter, declared in parsed.get("parameters", {}).items()
            if decorated(declared, "secure")
        }
        for output, declared in parsed.get("outputs", {}).items():
            words = {str(node) for node in walk(declared["value"]) if isinstance(node, str)}
            words |= {inner for word in words for inner in interpolated(word)}
            assert not words & secret, (name, output)
        source = (INFRA / name).read_text(encoding="utf-8")
        assert not re.search(r"\blist[A-Z]\w*\(|\.list[A-Z]\w*\(|getSecret|AccountKey", source)


def test_secret_parameters_are_secure() -> None:
    """A parameter that holds a key is never shown by Azure."""
    for name in templates():
        for parameter, declared in template(name).get("parameters", {}).items():
            is_key = parameter in {*DRAWN, "webhookUrl"}
            assert bool(decorated(declared, "secure")) is is_key, (name, parameter)


def test_the_only_connection_string_opens_nothing() -> None:
    """Application Insights wants its connection string; with local authentication off it is an
    address."""
    strings = [name for name in settings() if "CONNECTION_STRING" in name]
    assert strings == ["APPLICATIONINSIGHTS_CONNECTION_STRING"]
    outputs = {output for name in templates() for output in template(name).get("outputs", {})}
    assert {name for name in outputs if "ConnectionString" in name} == {"insightsConnectionString"}


SUBSCRIPTIONS = [
    pytest.param(resource, id=symbol)
    for _, symbol, resource in resources()
    if resource["type"].endswith("/eventSubscriptions")
]


@pytest.mark.parametrize("subscription", SUBSCRIPTIONS)
def test_subscriptions_try_again_and_keep_what_fails(subscription: dict[str, Any]) -> None:
    """Every subscription is tried for a day, one event at a time, and then lays the event down."""
    properties = body(subscription)["properties"]
    assert properties["retryPolicy"] == {
        "maxDeliveryAttempts": 30,
        "eventTimeToLiveInMinutes": 1440,
    }
    assert at(properties, "destination", "properties", "maxEventsPerBatch") == 1
    dead_letter = properties["deadLetterWithResourceIdentity"]
    assert dead_letter["identity"] == {"type": "SystemAssigned"}
    destination = at(dead_letter, "deadLetterDestination", "properties")
    assert destination == {
        "resourceId": "deadLetterStorageId",
        "blobContainerName": "deadLetterContainer",
    }


def test_subscribed_topics_have_an_identity() -> None:
    """A topic that lays events down needs somebody to do it as."""
    for kind in ("Microsoft.EventGrid/systemTopics", "Microsoft.EventGrid/topics"):
        made = [resource for _, _, resource in of_type(kind) if not resource["existing"]]
        assert [at(body(resource), "identity", "type") for resource in made] == ["SystemAssigned"]


def subscribed() -> dict[str, list[str]]:
    """The event types that each function is subscribed to."""
    found = {}
    for _, _, resource in of_type("Microsoft.EventGrid/systemTopics/eventSubscriptions"):
        properties = body(resource)["properties"]
        target = at(properties, "destination", "properties", "resourceId")
        found[target.rsplit("/", maxsplit=1)[-1]] = properties["filter"]["includedEventTypes"]
    return found


def test_one_subscription_for_each_event_type() -> None:
    """Each function takes one type of event, so that one that fails holds up no other."""
    assert subscribed() == {
        "inbound": ["Microsoft.Communication.SMSReceived"],
        "delivery_report": ["Microsoft.Communication.SMSDeliveryReportReceived"],
    }


def test_stage_two_stands_on_stage_one() -> None:
    """What stage two finds there, stage one has made; what it makes itself is subscriptions."""
    made = {
        resource["type"]
        for name, _, resource in resources()
        if name not in STAGE_TWO and not resource["existing"]
    }
    for name, symbol, resource in resources(*STAGE_TWO):
        if resource["existing"]:
            assert resource["type"] in made, (name, symbol)
        else:
            assert resource["type"].endswith("/eventSubscriptions"), (name, symbol)


def test_stage_two_is_not_in_stage_one() -> None:
    """Event Grid would ask for functions that are not there yet."""
    for name, symbol, resource in resources():
        if name not in STAGE_TWO:
            assert not resource["type"].endswith("/eventSubscriptions"), (name, symbol)


def test_children_have_parents() -> None:
    """A child is declared with its parent's symbol, never inside it or by a composed name."""
    for name, symbol, resource in resources():
        is_child = resource["type"].count("/") > 1
        assert ("parent" in body(resource)) is is_child, (name, symbol)


def test_the_record_is_locked_unless_told_otherwise() -> None:
    """The account, the vault and the numbers cannot be deleted by accident."""
    locks = of_type("Microsoft.Authorization/locks")
    assert {body(lock)["scope"] for _, _, lock in locks} == {
        "storage",
        "vault",
        "communicationService",
    }
    for name, symbol, lock in locks:
        assert name == "record.bicep"
        assert body(lock)["properties"]["level"] == "CanNotDelete"
        assert "lock" in {str(node) for node in walk(condition(lock))}, symbol
    assert template("main.bicep")["parameters"]["lockRecord"]["default"] is True


def test_what_must_last_lies_in_a_group_of_its_own() -> None:
    """Deleting the app's resource group leaves ledger, keys, identity and numbers."""
    modules = template("main.bicep")["modules"]
    assert {symbol: str(body(module)["scope"]) for symbol, module in modules.items()} | {
        "communication": ""
    } == {
        "record": "recordGroup",
        "deadLetters": "recordGroup",
        "app": "group",
        "watch": "group",
        "alerts": "group",
        "communication": "",
    }


def test_storage_is_what_the_local_stack_has() -> None:
    """The local stack makes in the emulator what Bicep makes in Azure: all queues and tables, and
    the containers that the app itself reads."""
    variables = template("record.bicep")["variables"]
    containers = {
        *variables["appContainers"]["value"],
        variables["deadLetterContainerName"]["value"],
    }
    assert set(QUEUES) == set(variables["queueNames"]["value"])
    assert set(CONTAINERS) <= containers
    assert set(TABLES) == set(variables["tableNames"]["value"])
    of_the_host = template("app.bicep")["variables"]["witnessContainerName"]["value"]
    assert HOST_CONTAINERS == (of_the_host,) == (WITNESS_CONTAINER,)


def test_every_resource_that_can_be_is_tagged() -> None:
    """Every resource that takes tags carries the environment's."""
    untagged = {
        "Microsoft.Authorization/locks",
        "Microsoft.Authorization/roleAssignments",
        "Microsoft.Insights/diagnosticSettings",
    }
    for name, symbol, resource in resources():
        if resource["existing"] or "parent" in body(resource) or resource["type"] in untagged:
            continue
        assert "tags" in body(resource), (name, symbol)


def test_parameters_are_described() -> None:
    """Every parameter of every template says what it means."""
    for name in templates():
        for parameter, declared in template(name).get("parameters", {}).items():
            assert decorated(declared, "description"), (name, parameter)


def test_alerts_tell_the_action_group() -> None:
    """No alert fires unheard."""
    for kind in ("metricAlerts", "scheduledQueryRules"):
        for _, symbol, alert in of_type(f"Microsoft.Insights/{kind}"):
            words = {str(node) for node in walk(body(alert)["properties"]["actions"])}
            assert "actionGroup" in words, symbol


METRICS = {
    "parley.sends": {"state"},
    "parley.blocked": {"sender"},
    "parley.reports": {"outcome"},
    "parley.inbound": {"intent"},
    "parley.optouts": {"direction", "channel", "effect"},
    "parley.quarantined": set[str](),
    "parley.poisoned": {"queue"},
    "parley.due.givenup": {"kind"},
    "parley.due.lag": {"kind"},
    "parley.budget.warnings": {"program"},
    "parley.ledger.halted": set[str](),
    "parley.ledger.lag": {"channel"},
}


def test_queries_name_metrics_that_there_are() -> None:
    """Alerts and workbook ask for the app's metrics by the names that it gives them."""
    asked = set()
    for file in ("alerts.bicep", "workbook.json"):
        asked |= set(re.findall(r"parley(?:\.[a-z]+)+", (INFRA / file).read_text(encoding="utf-8")))
    assert asked == METRICS.keys()
    source = Path(telemetry.__file__).read_text(encoding="utf-8")
    assert asked == set(re.findall(r'"(parley(?:\.[a-z]+)+)"', source))


def queries() -> list[str]:
    alerts = template("alerts.bicep")["variables"]["queryAlertsOn"]["value"]
    workbook = json.loads((INFRA / "workbook.json").read_text(encoding="utf-8"))
    asked = [item["content"]["query"] for item in workbook["items"] if item["type"] == 3]
    return [alert["query"] for alert in alerts] + asked


@pytest.mark.parametrize("query", queries())
def test_queries_name_attributes_that_there_are(query: str) -> None:
    """A query asks a metric for no attribute that the app does not give it."""
    metrics = re.findall(r"parley(?:\.[a-z]+)+", query)
    known = set[str]().union(*(METRICS[metric] for metric in metrics))
    assert set(re.findall(r"Properties\.(\w+)", query)) <= known


def test_workbook() -> None:
    """The workbook is JSON, and each query says where it asks."""
    workbook = json.loads((INFRA / "workbook.json").read_text(encoding="utf-8"))
    queries = [item["content"] for item in workbook["items"] if item["type"] == 3]
    assert queries
    for query in queries:
        assert query["crossComponentResources"] == ["{workspace}"]


def test_parameter_file_is_of_the_template() -> None:
    """azd is asked for nothing that the template does not take, and hands over all but what is
    drawn in Azure and tags."""
    given = json.loads((INFRA / "main.parameters.json").read_text(encoding="utf-8"))["parameters"]
    declared = template("main.bicep")["parameters"]
    assert given.keys() <= declared.keys()
    assert declared.keys() - given.keys() == {"extraTags", *DRAWN}


def test_azd_asks_for_nothing_but_a_name_and_a_region() -> None:
    """azd looks for values before it runs a hook, and asks for each that has no default; name and
    region it has by itself."""
    given = json.loads((INFRA / "main.parameters.json").read_text(encoding="utf-8"))["parameters"]
    declared = template("main.bicep")["parameters"]
    without = {name for name, parameter in declared.items() if parameter.get("default") is None}
    assert {given[name]["value"] for name in without} == {"${AZURE_ENV_NAME}", "${AZURE_LOCATION}"}


def test_parameter_file_has_the_templates_defaults() -> None:
    """Where azd needs a default of its own, it is the template's."""
    given = json.loads((INFRA / "main.parameters.json").read_text(encoding="utf-8"))["parameters"]
    declared = template("main.bicep")["parameters"]
    for name, entry in given.items():
        _, equals, default = entry["value"].strip("${}").partition("=")
        if equals:
            assert default == json.dumps(declared[name]["default"]), name


def test_identifiers_are_told_from_texts() -> None:
    """The parser marks symbols; the tests here would be blind without it."""
    location = template("main.bicep")["resources"]["group"]["config"]["location"]
    assert isinstance(location, BicepElement)
