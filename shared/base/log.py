"""Logs are events with stable names and structured data, never prose.

A number is masked before it gets here (`shared.rules.addresses.masked`); a message text never gets
here.
"""

from __future__ import annotations

import json
import logging
from typing import Final

NAME: Final = "parley"
_LOGGER: Final = logging.getLogger(NAME)
# Azure's worker runs the root logger at INFO. There these libraries write the URL of each request,
# and the URL of a table's row holds a person's number. `azure.functions` is not among them: the
# Functions runtime logs under that name.
_TALKATIVE: Final = (
    "azure.core",
    "azure.data",
    "azure.eventgrid",
    "azure.identity",
    "azure.monitor",
    "azure.storage",
)


def quiet_libraries() -> None:
    """From here on the Azure client libraries log warnings and errors alone."""
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)


def leave_to_exporter() -> None:
    """Where an exporter takes Parley's records, the worker does not take them a second time.

    What is logged outside an invocation reaches Application Insights by the exporter alone: the
    Functions host drops it. Without an exporter everything stays as it is.
    """
    _LOGGER.propagate = not _LOGGER.handlers


def event(name: str, **data: str | float | None) -> None:
    """Something happened that an operator counts."""
    _LOGGER.info("%s %s", name, json.dumps(data))


def trouble(name: str, **data: str | float | None) -> None:
    """Something went wrong that somebody should look at."""
    _LOGGER.warning("%s %s", name, json.dumps(data))
