"""Lets the local app have the settings that Bicep gives the deployed one, and no others.

A setting that the code reads and the template forgets would otherwise work on every machine but
Azure. The names come from the template itself; the values are the local stack's.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pycep import BicepParser

TEMPLATE: Final = Path(__file__).parent.parent / "infra" / "main.bicep"

# Read by the Functions host and its libraries, never by Parley.
PLATFORM: Final = frozenset(
    {
        "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
        "AzureWebJobsStorage__accountName",
        "AzureWebJobsStorage__clientId",
        "AzureWebJobsStorage__credential",
        "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT",
        "OTEL_METRIC_EXPORT_INTERVAL",
        "OTEL_SERVICE_NAME",
        "PARLEY_STORAGE__clientId",
        "PARLEY_STORAGE__credential",
    }
)

# Keys that stand on one machine where a managed identity stands in Azure. Bicep sets none of them.
LOCAL_KEYS: Final = frozenset(
    {
        "AzureWebJobsStorage",
        "PARLEY_ACS_ACCESS_KEY",
        "PARLEY_HOST_STORAGE",
        "PARLEY_STORAGE",
        "PARLEY_TOPIC_KEY",
    }
)


class SettingForgotten(Exception):
    """A setting that the local app would get and the deployed one would not."""


def template_names(template: Path = TEMPLATE) -> frozenset[str]:
    """The names of the app settings that a template and the local modules under it declare.

    Raises:
        ValueError: the file is no Bicep that can be read.
    """
    return frozenset(_names(BicepParser(), template.resolve()))


def _names(parser: BicepParser, template: Path) -> set[str]:
    parsed: dict[str, Any] = dict(parser.parse(file_path=template))
    found: set[str] = set()
    for resource in parsed.get("resources", {}).values():
        config = resource["config"]
        if resource["type"] == "Microsoft.Web/sites/config" and config["name"] == "appsettings":
            found.update(str(name).strip("'") for name in config["properties"])
    for module in parsed.get("modules", {}).values():
        if module["type"] == "local":
            found |= _names(parser, template.parent / module["detail"]["path"])
    return found


def local_settings(
    values: Mapping[str, str], names: frozenset[str] | None = None
) -> dict[str, str]:
    """The local stack's settings, if a deployed app would have each of them too.

    Args:
        values: what the local stack sets, by name. A name of the template that is not here takes
            the code's own default.
        names: what the template sets; read from the template where it is not given.

    Raises:
        SettingForgotten: the template does not set one of them.
    """
    given = template_names() if names is None else names
    if forgotten := sorted(values.keys() - given - LOCAL_KEYS):
        raise SettingForgotten(
            f"{TEMPLATE.name} and its modules do not set {', '.join(forgotten)}, so that a deployed"
            " app would do without"
        )
    return dict(values)
