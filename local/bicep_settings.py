"""Feeds the local app the settings that Bicep feeds the deployed one, and no others.

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
        "APPLICATIONINSIGHTS_CONNECTION_STRING",
        "AzureWebJobsStorage__accountName",
        "AzureWebJobsStorage__clientId",
        "AzureWebJobsStorage__credential",
        "PARLEY_STORAGE__clientId",
        "PARLEY_STORAGE__credential",
    }
)

# Keys that stand locally where a managed identity stands in Azure, and what they make superfluous.
STANDS_FOR: Final[Mapping[str, frozenset[str]]] = {
    "PARLEY_STORAGE": frozenset(
        {
            "PARLEY_STORAGE__blobServiceUri",
            "PARLEY_STORAGE__queueServiceUri",
            "PARLEY_STORAGE__tableServiceUri",
        }
    ),
    "PARLEY_ACS_ACCESS_KEY": frozenset({"AZURE_CLIENT_ID"}),
    "PARLEY_TOPIC_KEY": frozenset({"AZURE_CLIENT_ID"}),
}


class SettingMissing(Exception):
    """A name that the template sets and the local stack has no value for."""


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


def local_environment(
    values: Mapping[str, str], names: frozenset[str] | None = None
) -> dict[str, str]:
    """Of the local stack's values those that a deployed app would have too, and the local keys.

    Args:
        values: everything that the local stack could give, by name.
        names: what the template sets; read from the template where it is not given.

    Raises:
        SettingMissing: the template sets a name that `values` lacks, so that the local app would
            run without something that the deployed one has.
    """
    given = template_names() if names is None else names
    keys = {name for name in STANDS_FOR if name in values}
    superfluous = PLATFORM.union(*(STANDS_FOR[name] for name in keys))
    if missing := sorted(given - superfluous - values.keys()):
        raise SettingMissing(f"the local stack has no value for {', '.join(missing)}")
    return {name: values[name] for name in sorted((given & values.keys()) | keys)}
