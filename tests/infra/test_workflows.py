"""What the workflows at GitHub may do, and beside what."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import pytest

from tests.infra.bicep import INFRA
from tools.requirements import OLDER, SHIPPED, command

ROOT = INFRA.parent
WORKFLOWS = ROOT / ".github" / "workflows"
UV = ROOT / ".github" / "uv.txt"
NAMES = sorted(path.name for path in WORKFLOWS.iterdir())
# What a job with a token that can write may call: GitHub's own tools, and the shell's.
OWN_COMMANDS = {
    *("git", "gh"),
    *("[", "cp", "echo", "exit", "grep", "for", "do", "done", "if", "then", "fi"),
}


@dataclass(frozen=True)
class Step:
    """One step of a job, as it is written."""

    text: str

    @property
    def action(self) -> str | None:
        found = re.search(r"^\s*(?:- )?uses: (\S+)", self.text, re.MULTILINE)
        return found[1] if found else None

    @property
    def script(self) -> str:
        found = re.search(r"^( *)(?:- )?run: (.*)\n((?:\1 +.*\n|\n)*)", self.text, re.MULTILINE)
        if found is None:
            return ""
        return dedent(found[3]) if found[2] in {"|", ">"} else found[2] + "\n"

    @property
    def commands(self) -> set[str]:
        joined = self.script.replace("\\\n", " ")
        lines = [line.strip() for line in joined.splitlines()]
        # An assignment calls nothing but what it substitutes.
        return {line.split()[0] for line in lines if line and not re.match(r"[a-z]+=", line)} | set(
            re.findall(r"\$\((\w+)", joined)
        )


@dataclass(frozen=True)
class Job:
    """One job of a workflow, as it is written."""

    name: str
    text: str

    @property
    def writes(self) -> set[str]:
        return set(re.findall(r"^      ([a-z-]+): write$", self.text, re.MULTILINE))

    @property
    def steps(self) -> Sequence[Step]:
        _, _, written = self.text.partition("\n    steps:\n")
        parts = re.split(r"^(?=      - )", written, flags=re.MULTILINE)
        return [Step(part) for part in parts if part.startswith("      - ")]


def text_of(workflow: str) -> str:
    return (WORKFLOWS / workflow).read_text(encoding="utf-8")


def jobs(workflow: str) -> list[Job]:
    _, _, written = text_of(workflow).partition("\njobs:\n")
    parts = re.split(r"^  ([a-z]+):\n", written, flags=re.MULTILINE)[1:]
    found = [Job(name, text) for name, text in zip(parts[::2], parts[1::2], strict=True)]
    assert all(job.steps for job in found)
    return found


def step_named(workflow: str, name: str) -> Step:
    [found] = [
        step for job in jobs(workflow) for step in job.steps if f"- name: {name}\n" in step.text
    ]
    return found


@pytest.mark.parametrize("workflow", NAMES)
def test_no_job_can_write_unless_it_says_so(workflow: str) -> None:
    """The token that every job gets reads; none runs with a stranger's code and our secrets."""
    assert "\npermissions:\n  contents: read\n\n" in text_of(workflow)
    assert "pull_request_target" not in text_of(workflow)


@pytest.mark.parametrize("workflow", NAMES)
def test_no_checkout_leaves_its_token_behind(workflow: str) -> None:
    """A token in .git/config is there for whatever runs later in the job."""
    checkouts = [
        step
        for job in jobs(workflow)
        for step in job.steps
        if (step.action or "").startswith("actions/checkout@")
    ]
    assert checkouts
    assert all("\n          persist-credentials: false\n" in step.text for step in checkouts)


@pytest.mark.parametrize("workflow", NAMES)
def test_nothing_third_party_runs_beside_a_token_that_can_push(workflow: str) -> None:
    """A job that can write to the repository runs GitHub's own actions and commands, no library, no
    build and nothing of the tree."""
    for job in jobs(workflow):
        if not job.writes - {"id-token"}:
            continue
        for step in job.steps:
            assert step.action is None or step.action.startswith("actions/"), step.text
            assert step.commands <= OWN_COMMANDS | {"date"}, step.text


def test_what_pushes_waits_for_what_tests() -> None:
    """In the workflow `update` one job runs the libraries and cannot write; the other writes once
    the first is through."""
    trying, proposing = jobs("update.yml")
    assert not trying.writes
    assert "make" in {command for step in trying.steps for command in step.commands}
    assert "GH_TOKEN" not in trying.text
    assert "secrets." not in trying.text
    assert proposing.writes == {"contents", "pull-requests"}
    assert f"\n    needs: {trying.name}\n" in proposing.text


def test_pins_are_kept_before_a_library_runs() -> None:
    """What the second job takes over was put aside before any of the new libraries could change
    it."""
    steps = jobs("update.yml")[0].steps
    kept = [i for i, step in enumerate(steps) if "upload-artifact" in (step.action or "")]
    run = [i for i, step in enumerate(steps) if "make" in step.commands]
    assert len(kept) == len(run) == 1
    assert kept < run


def test_uv_is_pinned() -> None:
    """What pins the libraries is itself one version, known by the hashes of its files."""
    pins = [line for line in UV.read_text(encoding="utf-8").splitlines() if "==" in line]
    assert len(pins) == 1
    assert re.fullmatch(r"uv==[0-9.]+ \\", pins[0])
    script = step_named("update.yml", "Pin and hash what is newest").script
    assert re.findall(r"pip install (.*)", script) == [
        f"--quiet --require-hashes -r {UV.relative_to(ROOT).as_posix()}"
    ]


@pytest.mark.parametrize("upgrade", [True, False])
def test_new_versions_wait_and_nothing_is_built(upgrade: bool) -> None:  # noqa: FBT001  # pytest's
    """A version is a week old before it is taken, and choosing one runs none of its code."""
    asked = command("3.13", Path("made.txt"), upgrade=upgrade)
    assert asked[asked.index("--exclude-newer") + 1] == "7 days"
    assert asked[asked.index("--only-binary") + 1] == ":all:"
    assert "--generate-hashes" in asked


def take_over(folder: Path, **files: str) -> subprocess.CompletedProcess[str]:
    """Runs the step that lays what was pinned into the tree, in a folder that is the tree."""
    made = folder / "temp" / "requirements"
    made.mkdir(parents=True)
    for name, text in {SHIPPED: "", OLDER: "", **files}.items():
        (made / name).write_text(text, encoding="utf-8")
    script = step_named("update.yml", "Take over pins and hashes, and nothing else").script
    return subprocess.run(  # noqa: S603  # our own step
        ["/bin/bash", "-e", "-c", script],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "RUNNER_TEMP": str(folder / "temp")},
        capture_output=True,
        text=True,
        check=False,
    )


def pinned() -> dict[str, str]:
    return {name: (ROOT / name).read_text(encoding="utf-8") for name in (SHIPPED, OLDER)}


def test_pins_are_taken_over(tmp_path: Path) -> None:
    """Both files come through as they were made."""
    done = take_over(tmp_path, **pinned())
    assert done.returncode == 0, done.stdout + done.stderr
    assert {name: (tmp_path / name).read_text(encoding="utf-8") for name in pinned()} == pinned()


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://elsewhere.example/simple",
        "library @ https://elsewhere.example/library.whl",
        "-r other.txt",
        "library",
        "",
    ],
)
@pytest.mark.parametrize("name", [SHIPPED, OLDER])
def test_what_is_no_pin_is_not_taken_over(tmp_path: Path, name: str, line: str) -> None:
    """A file that names another place, or a library without a version, stops the job."""
    text = pinned()[name] + f"{line}\n" if line else ""
    done = take_over(tmp_path, **(pinned() | {name: text}))
    assert done.returncode == 1
    assert f"{name} holds more than pins and hashes" in done.stdout
    assert not (tmp_path / name).exists()
