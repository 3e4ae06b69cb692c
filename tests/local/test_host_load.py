"""Loading an app: what the real host would refuse, this one refuses, with the reason."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from local.host import FunctionsHost, HostError

APPS = Path(__file__).parent / "apps"
HEAD = "import azure.functions as func\napp = func.FunctionApp()\n"
TIMER = "def f(t: func.TimerRequest) -> None: ..."
OUT = "def f(req: func.HttpRequest, o: func.Out[str]) -> str: ..."
HTTP = "async def {0}(req: func.HttpRequest) -> func.HttpResponse: ...\n"


def make_app(folder: Path, source: str) -> Path:
    (folder / "host.json").write_text('{"version": "2.0"}')
    (folder / "function_app.py").write_text(HEAD + dedent(source))
    return folder


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("raise ValueError('PARLEY_SENDERS is missing')", "ValueError: PARLEY_SENDERS is missing"),
        ("import no_such_module_at_all", "no_such_module_at_all"),
        ("def f(:", "SyntaxError"),
        ("", "no functions"),
        ("app2 = func.FunctionApp()", "More than one"),
        ("del app", "Could not find top level function app"),
        ("@app.route('a')\n" + HTTP.format("f") + "@app.route('b')\n" + HTTP.format("f"), "f"),
        (
            "@app.function_name('F')\n@app.route('a')\n"
            + HTTP.format("x")
            + "@app.function_name('f')\n@app.route('b')\n"
            + HTTP.format("y"),
            "two functions",
        ),
        ("@app.function_name('1f')\n@app.route('a')\n" + HTTP.format("f"), "name of a function"),
        ("@app.route('admin/a')\n" + HTTP.format("f"), "belongs to the host"),
        ("@app.route('')\n" + HTTP.format("f"), "empty route"),
        ("@app.route('a/{b')\n" + HTTP.format("f"), "template"),
        ("@app.route('a')\n" + HTTP.format("f") + "@app.route('A')\n" + HTTP.format("g"), "g: "),
        ("@app.route('a')\n@app.event_grid_trigger('e')\n" + HTTP.format("f"), "trigger"),
        (
            "@app.timer_trigger('t', '61 * * * * *')\ndef f(t: func.TimerRequest) -> None: ...",
            "second",
        ),
        ("@app.timer_trigger('t', '%NO%')\n" + TIMER, "%NO%"),
        ("@app.queue_trigger('m', 'A_b', 'S')\ndef f(m: func.QueueMessage) -> None: ...", "A_b"),
        (
            "@app.blob_trigger('b', 'c/{n}', 'S')\ndef f(b: func.InputStream) -> None: ...",
            "blobTrigger",
        ),
        ("@app.queue_output('o', 'abc', 'S')\n@app.route('a')\n" + OUT, "'queue'"),
        ("@app.route('a')\nasync def f(req: func.HttpRequest, more: str) -> str: ...", "f"),
    ],
)
def test_refuses(tmp_path: Path, source: str, reason: str) -> None:
    """An app that Azure would not run is refused before anything is served."""
    with pytest.raises(HostError, match=reason):
        FunctionsHost.load(make_app(tmp_path, source), settings={})


def test_refuses_a_folder_without_an_app(tmp_path: Path) -> None:
    """The wrong folder is told as such."""
    (tmp_path / "host.json").write_text('{"version": "2.0"}')
    with pytest.raises(HostError, match=r"no function_app\.py"):
        FunctionsHost.load(tmp_path, settings={})


def test_a_disabled_function_is_not_there(tmp_path: Path) -> None:
    """`AzureWebJobs.<name>.Disabled` takes a function away, as it does in Azure."""
    app = make_app(tmp_path, "@app.route('a')\n" + HTTP.format("f"))
    assert list(FunctionsHost.load(app, settings={}).functions) == ["f"]
    host = FunctionsHost.load(app, settings={"AzureWebJobs.f.Disabled": "true"})
    assert list(host.functions) == []


async def test_two_apps_in_one_process(tmp_path: Path) -> None:
    """Apps with functions of the same name do not mix."""
    hosts = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        source = f"""
            @app.route('a', auth_level='anonymous')
            def f(req: func.HttpRequest) -> str:
                return '{name}'
        """
        hosts.append(FunctionsHost.load(make_app(tmp_path / name, source), settings={}))
    answers = [await host.invoke_http("GET", "/api/a") for host in hosts]
    assert [answer.body for answer in answers] == [b"one", b"two"]


def test_leaves_the_module_name_free(tmp_path: Path) -> None:
    """Loading an app takes neither the name `function_app` nor the first place on the path."""
    before = sys.path[0]
    FunctionsHost.load(make_app(tmp_path, "@app.route('a')\n" + HTTP.format("f")), settings={})
    assert "function_app" not in sys.modules or not str(
        sys.modules["function_app"].__file__
    ).startswith(str(tmp_path))
    assert sys.path[0] == before
    assert sys.path[-1] == str(tmp_path)
    sys.path.remove(str(tmp_path))


def test_can_fork_after_loading() -> None:
    """Loading starts neither threads nor a loop, so a loaded app can run in a forked child."""
    script = f"""
        import asyncio, os, threading
        from pathlib import Path
        from local.host import FunctionsHost

        app = Path({str(APPS / "all_triggers")!r})
        host = FunctionsHost.load(app, settings={{"TEST_QUEUE": "abc"}})
        assert threading.active_count() == 1
        child = os.fork()
        if child == 0:
            answer = asyncio.run(host.invoke_http("POST", "/echo/a", body=b"hello"))
            os._exit(0 if answer.body == b"hello" else 1)
        assert os.waitpid(child, 0)[1] == 0
    """
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-W", "error", "-c", dedent(script)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
