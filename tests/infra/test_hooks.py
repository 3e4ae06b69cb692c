"""azd's hooks, run with stand-ins for `az` and `azd` that write down what they are asked."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.infra.bicep import INFRA, template

HOOKS = INFRA / "hooks"
OUTPUTS = {name: f"value-of-{name}" for name in template("main.bicep")["outputs"]} | {
    "PARLEY_SENDER_COUNT": "1"
}

RECORDER = """#!/bin/sh
{
  printf '%s' "$(basename "$0")"
  for word in "$@"; do printf '\\t%s' "$word"; done
  echo
} >> "$CALLS"
if [ "$(basename "$0")" = az ] && [ "$1" = resource ]; then
  tries=$(grep -c "^az	resource" "$CALLS")
  [ "$tries" -gt "$MISSING_FOR" ]
fi
"""


@dataclass
class CommandLines:
    """`az` and `azd` on a PATH of their own; `resource show` finds nothing the first few times."""

    folder: Path

    def __post_init__(self) -> None:
        for name in ("az", "azd"):
            command = self.folder / name
            command.write_text(RECORDER, encoding="utf-8")
            command.chmod(0o755)

    @property
    def calls(self) -> list[list[str]]:
        log = self.folder / "calls"
        lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
        return [line.split("\t") for line in lines]

    def run(
        self, hook: str, environment: Mapping[str, str] | None = None, *, missing_for: int = 0
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603  # our own hook
            [str(HOOKS / hook)],
            cwd=INFRA.parent,
            env={
                "PATH": f"{self.folder}:/usr/bin:/bin",
                "CALLS": str(self.folder / "calls"),
                "MISSING_FOR": str(missing_for),
                **(environment or {}),
            },
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def lines(tmp_path: Path) -> CommandLines:
    return CommandLines(tmp_path)


@pytest.mark.parametrize("hook", ["preprovision.sh", "postprovision.sh"])
def test_hooks_around_provisioning_handle_no_keys(lines: CommandLines, hook: str) -> None:
    """Azure draws the keys: no hook makes one, and azd's file never holds one."""
    done = lines.run(hook, OUTPUTS)
    assert done.returncode == 0, done.stderr
    assert lines.calls == []


def test_service_that_is_not_there_is_refused(lines: CommandLines) -> None:
    """A resource id that leads nowhere stops the deployment with a sentence."""
    done = lines.run(
        "preprovision.sh", {"PARLEY_EXISTING_COMMUNICATION_SERVICE_ID": "/gone"}, missing_for=1
    )
    assert done.returncode == 1
    assert "the Communication Services resource /gone is not there" in done.stderr


def test_service_that_is_there_is_used(lines: CommandLines) -> None:
    """A resource that is there is asked for by its id."""
    done = lines.run("preprovision.sh", {"PARLEY_EXISTING_COMMUNICATION_SERVICE_ID": "/here"})
    assert done.returncode == 0, done.stderr
    assert lines.calls[0][:5] == ["az", "resource", "show", "--ids", "/here"]


@pytest.mark.parametrize("count", ["0", ""])
def test_without_a_number_nothing_is_deployed(lines: CommandLines, count: str) -> None:
    """Whoever has no number yet is told how to go on, after the resources and before the code."""
    told = lines.run("postprovision.sh", OUTPUTS | {"PARLEY_SENDER_COUNT": count})
    assert told.returncode == 0
    assert "azd env set PARLEY_SENDERS" in told.stdout
    refused = lines.run("predeploy.sh", {"PARLEY_SENDER_COUNT": count})
    assert refused.returncode == 1
    assert "no sender is configured" in refused.stderr


def test_with_a_number_all_goes_on(lines: CommandLines) -> None:
    """With a sender nobody is told anything."""
    assert lines.run("predeploy.sh", {"PARLEY_SENDER_COUNT": "1"}).returncode == 0
    assert "number" not in lines.run("postprovision.sh", OUTPUTS).stdout


def test_subscribes_when_the_functions_are_there(lines: CommandLines) -> None:
    """Stage two waits for its functions and goes where the system topic is, with all it takes."""
    done = lines.run(
        "postdeploy.sh",
        OUTPUTS
        | {
            "PARLEY_SUBSCRIBE_PAUSE_SECONDS": "0",
            "PARLEY_WEBHOOK_URL": "https://app.example/hook",
        },
        missing_for=2,
    )
    assert done.returncode == 0, done.stderr
    asked = [call[4].rsplit("/", maxsplit=1)[-1] for call in lines.calls if call[1] == "resource"]
    assert asked == ["inbound", "inbound", "inbound", "delivery_report"]
    deployment = lines.calls[-1]
    assert deployment[:4] == ["az", "deployment", "group", "create"]
    group = deployment[deployment.index("--resource-group") + 1]
    assert group == OUTPUTS["PARLEY_COMMUNICATION_RESOURCE_GROUP"]
    given = dict(
        word.split("=", 1) for word in deployment if re.match(r"[a-z]\w+=", word, re.IGNORECASE)
    )
    assert given.keys() == template("events.bicep")["parameters"].keys()
    assert given["webhookUrl"] == "https://app.example/hook"


def test_gives_up_with_a_reason(lines: CommandLines) -> None:
    """A function that never appears is named, and nothing is subscribed."""
    done = lines.run(
        "postdeploy.sh",
        OUTPUTS | {"PARLEY_SUBSCRIBE_PAUSE_SECONDS": "0", "PARLEY_SUBSCRIBE_ATTEMPTS": "3"},
        missing_for=99,
    )
    assert done.returncode == 1
    assert "the function inbound did not appear" in done.stderr
    assert not [call for call in lines.calls if call[1] == "deployment"]


@pytest.mark.parametrize("hook", sorted(path.name for path in HOOKS.iterdir()))
def test_hooks_know_only_outputs(hook: str) -> None:
    """A variable that a hook reads is an output of stage one, or the operator's own."""
    own = {
        "PARLEY_EXISTING_COMMUNICATION_SERVICE_ID",
        "PARLEY_SUBSCRIBE_ATTEMPTS",
        "PARLEY_SUBSCRIBE_PAUSE_SECONDS",
        "PARLEY_WEBHOOK_URL",
    }
    text = (HOOKS / hook).read_text(encoding="utf-8")
    read = set(re.findall(r"\$\{?((?:PARLEY|AZURE)_[A-Z_]+)", text))
    assert read <= OUTPUTS.keys() | own


def test_azure_yaml_runs_every_hook() -> None:
    """Each hook is run by azd when its name says."""
    text = (INFRA.parent / "azure.yaml").read_text(encoding="utf-8")
    for path in HOOKS.iterdir():
        assert f"  {path.stem}:\n    shell: sh\n    run: ./infra/hooks/{path.name}\n" in text
        assert path.stat().st_mode & 0o111, "a hook can be run"
