"""The command line of the simulated platform; every option may stand in a JSON file instead."""

from __future__ import annotations

import argparse
import base64
import binascii
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from local.platform.senders import parse_senders
from local.platform.simulator import Options, Wiring

# Command-line option to the setting of `behaviour.SETTINGS` that it begins with.
_BEHAVIOUR: Final = {
    "repeatability_seconds": "repeatabilitySeconds",
    "delivery_seconds": "deliverySeconds",
    "retry_scale": "retryScale",
    "schema": "schema",
}


def parse(arguments: Sequence[str]) -> tuple[int, Options]:
    """The port and the options.

    Raises:
        SystemExit: argparse's own, with a sentence on what is wrong.
    """
    parser = _parser()
    first = parser.parse_args(arguments)
    if first.config is not None:
        # The file's values become defaults, so that the command line prevails.
        parser.set_defaults(**_read_config(parser, first.config))
    chosen = parser.parse_args(arguments)
    if missing := [
        name for name in ("senders", "acs_key", "topic_key") if not getattr(chosen, name)
    ]:
        parser.error(f"--{missing[0].replace('_', '-')} is missing")
    try:
        return chosen.port, _options(chosen)
    except ValueError as error:
        parser.error(str(error))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local.platform", description=__doc__)
    add = parser.add_argument
    add("--config", type=Path, metavar="FILE", help="JSON object with any of these options")
    add("--port", type=int, default=0, help="0: the system chooses; it is printed as JSON")
    add("--data", type=Path, metavar="DIR", help="where state is kept between runs")
    add("--acs-key", metavar="BASE64", help="access key of the simulated resource")
    add("--senders", metavar="JSON", help="the resource's senders, as in PARLEY_SENDERS")
    add("--topic-key", metavar="KEY", help="key of the outgoing topic")
    add("--functions-url", default="", metavar="URL", help="where the functions host listens")
    add("--eventgrid-key", default="", metavar="KEY", help="the host's system key for webhooks")
    add("--parley-url", default="", metavar="URL", help="Parley's HTTP interface")
    add("--parley-function-key", default="", metavar="KEY", help="a function key of Parley's")
    add("--repeatability-seconds", type=float, help="memory of repeatability ids; 0: none")
    add("--delivery-seconds", type=float, help="from acceptance to the handset")
    add("--retry-scale", type=float, help="factor on Event Grid's retry ladder")
    add("--schema", choices=("eventGrid", "cloudEvents"), help="form of ACS's events")
    return parser


def _read_config(parser: argparse.ArgumentParser, path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        parser.error(f"--config: {error}")
    if not isinstance(values, dict):
        parser.error("--config: the file must hold a JSON object")
    named = {str(name).removeprefix("--").replace("-", "_"): v for name, v in values.items()}
    known = vars(parser.parse_args([])).keys() - {"config"}
    if unknown := sorted(named.keys() - known):
        parser.error(f"--config: {unknown[0]} is no option")
    if isinstance(named.get("senders"), list):
        named["senders"] = json.dumps(named["senders"])
    if isinstance(named.get("data"), str):
        named["data"] = Path(named["data"])
    return named


def _options(chosen: argparse.Namespace) -> Options:
    try:
        key = base64.b64decode(chosen.acs_key, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("--acs-key must be base64") from None
    try:
        senders = parse_senders(chosen.senders)
    except ValueError as error:
        raise ValueError(f"--senders {error}") from None
    behaviour = {
        setting: getattr(chosen, option)
        for option, setting in _BEHAVIOUR.items()
        if getattr(chosen, option) is not None
    }
    wiring = Wiring(
        functions_url=chosen.functions_url.rstrip("/"),
        eventgrid_key=chosen.eventgrid_key,
        parley_url=chosen.parley_url.rstrip("/"),
        parley_function_key=chosen.parley_function_key,
    )
    return Options(
        senders=senders,
        acs_key=key,
        topic_key=chosen.topic_key,
        data=chosen.data,
        wiring=wiring,
        behaviour=behaviour,
    )
