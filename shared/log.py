"""Logs are events with stable names and structured data, never prose.

A number is masked before it gets here (`shared.addresses.masked`); a message text never gets here.
"""

from __future__ import annotations

import json
import logging
from typing import Final

_LOGGER: Final = logging.getLogger("parley")


def event(name: str, **data: str | float | None) -> None:
    """Something happened that an operator counts."""
    _LOGGER.info("%s %s", name, json.dumps(data))


def trouble(name: str, **data: str | float | None) -> None:
    """Something went wrong that somebody should look at."""
    _LOGGER.warning("%s %s", name, json.dumps(data))
