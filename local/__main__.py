"""`python -m local`, which is `make run`: the whole stack on this machine, until Ctrl-C."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import sys
import threading
from contextlib import ExitStack
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from local.child import ChildFailed
from local.node import InstallFailed
from local.ports import Ports
from local.stack import LOCAL, ROOT, Stack, StackBusy, StackOptions, write_secret
from shared.azure.storage import StorageDown

_ENDPOINT_FILE: Final = "endpoint.json"
_CORE_TOOLS_FILE: Final = "local.settings.json"
_EXAMPLE_RECIPIENT: Final = "+14255550123"


def _arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    for item in fields(Ports):
        parser.add_argument(
            f"--{item.name}-port",
            type=int,
            metavar="PORT",
            help=f"else {item.default}, or the next",
        )
    parser.add_argument("--app", type=Path, default=ROOT, help="folder with function_app.py")
    parser.add_argument("--home", type=Path, default=LOCAL, help="data, logs and endpoint.json")
    parser.add_argument(
        "--keep-host-logs", action="store_true", help="append to the logs of the last run"
    )
    parser.add_argument(
        "--seed", type=int, metavar="N", help="begin with a made-up month, the same for each N"
    )
    parser.add_argument(
        "--host", choices=("local", "func"), default="local", help="func: Core Tools from the PATH"
    )
    for name, about in (
        ("repeatability", "how long the simulated ACS remembers ids"),
        ("delivery", "how long a text takes to its handset"),
    ):
        parser.add_argument(f"--{name}-seconds", type=float, metavar="S", help=about)
    parser.add_argument(
        "--retry-scale", type=float, metavar="X", help="Event Grid's pauses times X"
    )
    return parser.parse_args(arguments)


def _options(chosen: argparse.Namespace) -> StackOptions:
    wishes = {item.name: getattr(chosen, f"{item.name}_port") for item in fields(Ports)}
    return StackOptions(
        ports=Ports.wished(os.environ, wishes),
        app=chosen.app.resolve(),
        data=chosen.home.resolve() / "data",
        logs=chosen.home.resolve() / "logs",
        keep_logs=chosen.keep_host_logs,
        host=chosen.host,
        repeatability_seconds=chosen.repeatability_seconds,
        delivery_seconds=chosen.delivery_seconds,
        retry_scale=chosen.retry_scale,
    )


def endpoint(stack: Stack) -> dict[str, Any]:
    """What `.local/endpoint.json` holds, for commands that want to find a running stack."""
    return {
        "endpoint": stack.endpoint,
        "accessKeys": list(stack.access_keys),
        "functionKey": stack.function_key,
        "platform": stack.platform,
        "handsets": stack.handsets,
        "both": stack.both,
        "storage": stack.storage,
    }


def core_tools_settings(stack: Stack, before: dict[str, Any]) -> dict[str, Any]:
    """A local.settings.json with the stack's settings; what a developer added to it stays."""
    values = before.get("Values", {})
    ours = {"FUNCTIONS_WORKER_RUNTIME": "python", **stack.settings}
    return {"IsEncrypted": False, **before, "Values": {**values, **ours}}


def _write_core_tools_settings(stack: Stack, path: Path) -> None:
    before = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    write_secret(path, json.dumps(core_tools_settings(stack, before), indent=2) + "\n")


def welcome(stack: Stack, options: StackOptions) -> str:
    """What to click and what to type."""
    sender = options.senders[0]["sender"]
    body = json.dumps(
        {"from": sender, "smsRecipients": [{"to": _EXAMPLE_RECIPIENT}], "message": "Hello"}
    )
    curl = shlex.join(
        [
            *("curl", f"{stack.endpoint}/messages", "-d", body),
            *(
                "-H",
                f"x-functions-key: {stack.function_key}",
                "-H",
                "content-type: application/json",
            ),
        ]
    )
    python = (
        f'SmsClient("{stack.endpoint}", AzureKeyCredential("{stack.access_keys[0]}"))'
        f'.send("{sender}", "{_EXAMPLE_RECIPIENT}", "Hello")'
    )
    return (
        f"Parley runs. Ctrl-C stops it.\n\n"
        f"  Open      {stack.both}\n"
        f"            the console beside the handsets; {stack.handsets} has the handsets alone\n"
        f"  Endpoint  {stack.endpoint}\n"
        f"  Logs      {options.logs}\n\n"
        f"Send a text:\n\n  {curl}\n\n"
        f"or in Python, with azure-communication-sms:\n\n  {python}\n"
    )


def _seed(stack: Stack, options: StackOptions, seed: int) -> None:
    # Imported here, because it brings the whole domain, which the other starts do without.
    from local.seed.command import seed_once  # noqa: PLC0415

    print("Writing a made-up month ...", flush=True)
    written = seed_once(stack, options.data or LOCAL, seed, datetime.now(UTC))
    print(
        f"  {written.texts} texts, {written.answers} answers, {written.changes} changes of the"
        f" ledger, {written.campaigns} campaigns.\n"
        if written
        else "  It is there already; `make clean` forgets it.\n",
        flush=True,
    )


class _Signals:
    """SIGINT, SIGTERM, SIGHUP: the first one ends the stack, whether it is starting or runs."""

    def __init__(self) -> None:
        self.ending = threading.Event()
        self.started = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._end)
        # Whoever started it with `nohup` wants it to outlive the terminal.
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signal.signal(signal.SIGHUP, self._end)

    def _end(self, number: int, _frame: object) -> None:
        if number == signal.SIGHUP:
            # The terminal is gone, and with it whoever could read what is still said.
            silence = os.open(os.devnull, os.O_WRONLY)
            for output in (1, 2):
                os.dup2(silence, output)
        if self.ending.is_set():
            return
        self.ending.set()
        if not self.started:
            raise KeyboardInterrupt


def main(arguments: list[str]) -> int:
    """Run until SIGINT, SIGTERM or SIGHUP; 1 if the stack cannot start or a process of it dies."""
    chosen = _arguments(arguments)
    signals = _Signals()
    try:
        options = _options(chosen)
        with Stack(options) as stack, ExitStack() as files:
            signals.started = True
            file = chosen.home / _ENDPOINT_FILE
            write_secret(file, json.dumps(endpoint(stack), indent=2) + "\n")
            files.callback(file.unlink, missing_ok=True)
            _write_core_tools_settings(stack, options.app / _CORE_TOOLS_FILE)
            if chosen.seed is not None:
                _seed(stack, options, chosen.seed)
            print(welcome(stack, options), flush=True)
            stack.watch(signals.ending)
            print("Stopping.", flush=True)
    except (ChildFailed, InstallFailed, StackBusy, StorageDown, OSError, ValueError) as error:
        print(f"The local stack has stopped: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
