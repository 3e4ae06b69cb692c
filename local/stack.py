"""The whole local stack: Azurite, the simulated platform, the functions host, wired together.

    with Stack(StackOptions()) as stack:
        SmsClient(stack.endpoint, AzureKeyCredential(stack.access_keys[0]))

Each server is a process of its own. The order is the one that the wiring asks for: storage, with
everything in it that Bicep makes in Azure; then the platform, which knows the host's address from
the start and repeats Event Grid's handshake until the host answers; then the host.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import secrets
import shutil
import sys
import tempfile
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Literal, Self
from urllib.parse import quote

from azure.core.exceptions import ResourceExistsError
from azure.data.tables import TableServiceClient
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient

from local.azurite import Azurite
from local.bicep_settings import local_settings
from local.child import Child, ChildFailed
from local.ports import LOOPBACK, Ports, ReservedPorts

ROOT: Final = Path(__file__).parents[1]
LOCAL: Final = ROOT / ".local"

# What Bicep makes in the record's storage account; what Parley makes itself is not listed.
QUEUES: Final = ("dispatch", "dispatch-poison", "record", "record-poison")
CONTAINERS: Final = ("quarantine", "ledger", "lists")
# What it makes in the host's; on one machine both accounts are one.
HOST_CONTAINERS: Final = ("parley",)
TABLES: Final = (
    "optouts",
    "conversations",
    "conversationIndex",
    "campaigns",
    "codes",
    "erasures",
    "keys",
    "poison",
    "rollups",
    "due",
)

# The bytes that a request's body may have, as Bicep sets it.
BODY_LIMIT: Final = 24 * 1024 * 1024

# One sender of each kind. The numbers are reserved for fiction or are the example numbers of the
# numbering plans' own libraries.
DEFAULT_SENDERS: Final[tuple[Mapping[str, Any], ...]] = (
    {
        "sender": "+18005550100",
        "program": "reminders",
        "brand": "Contoso",
        "helpText": "Contoso reminders. Call +1 800 555 0199. Reply STOP to end.",
    },
    {
        "sender": "24680",
        "program": "offers",
        "brand": "Contoso",
        "helpText": "Contoso offers. Call +1 800 555 0199. Reply STOP to end.",
    },
    {"sender": "+12065550100", "program": "service", "brand": "Contoso"},
    {"sender": "+447400123456", "program": "service-uk", "brand": "Contoso"},
    {"sender": "CONTOSO", "program": "notices", "brand": "Contoso"},
)
_STORAGE_PATIENCE: Final[dict[str, Any]] = {"connection_timeout": 10, "read_timeout": 30}
_READY_SECONDS: Final = 60.0
# Core Tools loads its extension bundle first.
_FUNC_READY_SECONDS: Final = 240.0
_FUNC_READY_LINES: Final = ("Worker process started and initialized", "Host lock lease acquired")
_WATCH_SECONDS: Final = 0.5
_KEY_BYTES: Final = 32


def _base64_key() -> str:
    return base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode()


@dataclass(frozen=True, slots=True)
class DevelopmentKeys:
    """Every key of a local stack, random. Those that sign are base64 of 32 bytes."""

    access_primary: str = field(default_factory=_base64_key, repr=False)
    access_secondary: str = field(default_factory=_base64_key, repr=False)
    id_key: str = field(default_factory=_base64_key, repr=False)
    acs: str = field(default_factory=_base64_key, repr=False)
    topic: str = field(default_factory=_base64_key, repr=False)
    host_master: str = field(default_factory=secrets.token_urlsafe, repr=False)
    host_function: str = field(default_factory=secrets.token_urlsafe, repr=False)
    host_eventgrid: str = field(default_factory=secrets.token_urlsafe, repr=False)

    @classmethod
    def kept_in(cls, path: Path) -> DevelopmentKeys:
        """The keys of a file; those it lacks are made and added to it."""
        stored = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        keys = cls(**stored)
        if asdict(keys) != stored:
            write_secret(path, json.dumps(asdict(keys), indent=2))
        return keys


@dataclass(frozen=True, slots=True, kw_only=True)
class StackOptions:
    """What a stack is made of.

    Attributes:
        app: the folder with function_app.py.
        ports: the wished ports; a taken one moves on.
        data: the folder that keeps everything between runs; None keeps nothing.
        logs: the folder of the log files, one for each process.
        keep_logs: append to the log files of the last run.
        wire: the file that gets every log record which Azure's worker would send to its host; see
            `local.host.logs`.
        senders: the resource's senders, as PARLEY_SENDERS lists them.
        settings: further settings of the app, or others than the stack's own.
        host: `local` is ours, `func` is Core Tools from the PATH.
        queue_lease_seconds: after how long a killed host's queue messages come back. The real
            host's ten minutes would be a long wait on a desk.
        repeatability_seconds, delivery_seconds, retry_scale: see the platform's own options;
            None leaves its defaults.
    """

    app: Path = ROOT
    ports: Ports = field(default_factory=Ports)
    data: Path | None = None
    logs: Path = LOCAL / "logs"
    keep_logs: bool = False
    wire: Path | None = None
    senders: tuple[Mapping[str, Any], ...] = DEFAULT_SENDERS
    settings: Mapping[str, str] = field(default_factory=dict)
    host: Literal["local", "func"] = "local"
    queue_lease_seconds: float = 30
    repeatability_seconds: float | None = None
    delivery_seconds: float | None = None
    retry_scale: float | None = None


class Stack:
    """A running stack; a context manager.

    Raises:
        InstallFailed: Azurite is not installed.
        ChildFailed: a process did not start; its last lines are in the message.
        StackBusy: another stack uses the same data folder.
    """

    def __init__(self, options: StackOptions) -> None:
        self._options = options
        self._open = ExitStack()
        self._azurite: Azurite | None = None
        self._platform: Child | None = None
        self._host: Child | None = None
        self._platform_port = 0
        self._ports = options.ports
        self._keys = DevelopmentKeys()
        self._run = Path()
        self._lock: IO[str] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def endpoint(self) -> str:
        """Parley's own URL, both faces, without a slash at the end."""
        return f"http://{LOOPBACK}:{self._ports.functions}"

    @property
    def platform(self) -> str:
        """The simulated platform's URL: ACS, the topic, the control interface."""
        return f"http://{LOOPBACK}:{self._platform_port}"

    @property
    def handsets(self) -> str:
        """The page with the handsets."""
        return f"{self.platform}/"

    @property
    def both(self) -> str:
        """The page with the console and the handsets; its fragment holds the function key."""
        return f"{self.platform}/both#key={quote(self.function_key, safe='')}"

    @property
    def storage(self) -> str:
        """Connection string of Azurite."""
        return self._running_azurite().connection_string

    @property
    def access_keys(self) -> tuple[str, str]:
        """Parley's HMAC keys, primary and secondary, base64."""
        return self._keys.access_primary, self._keys.access_secondary

    @property
    def function_key(self) -> str:
        """Opens Parley's own face."""
        return self._keys.host_function

    @property
    def keys(self) -> DevelopmentKeys:
        """All keys."""
        return self._keys

    @property
    def settings(self) -> dict[str, str]:
        """The app's settings, as the functions host gets them in its environment.

        Raises:
            SettingForgotten: Bicep does not set one of them, so that a deployed app would lack it.
        """
        return local_settings(self._settings())

    def _settings(self) -> dict[str, str]:
        return {
            "AzureWebJobsStorage": self.storage,
            "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": str(BODY_LIMIT),
            "PARLEY_STORAGE": self.storage,
            "PARLEY_HOST_STORAGE": self.storage,
            "PARLEY_SENDERS": json.dumps(self._options.senders),
            "PARLEY_ACCESS_KEY_PRIMARY": self._keys.access_primary,
            "PARLEY_ACCESS_KEY_SECONDARY": self._keys.access_secondary,
            "PARLEY_ID_KEY": self._keys.id_key,
            "PARLEY_ACS_ENDPOINT": self.platform,
            "PARLEY_ACS_ACCESS_KEY": self._keys.acs,
            "PARLEY_TOPIC_ENDPOINT": f"{self.platform}/api/events",
            "PARLEY_TOPIC_KEY": self._keys.topic,
            "PARLEY_CONSOLE_FRAME_ANCESTORS": self.platform,
            **self._options.settings,
        }

    def start(self) -> None:
        """Start everything; what has been started is stopped again if the rest fails."""
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop everything, the host first. Once is enough."""
        self._open.close()

    def start_host(self) -> None:
        """Start the functions host, on the same port as before.

        Raises:
            ChildFailed: it does not start.
        """
        if self._host is not None:
            raise RuntimeError("the functions host is running")
        real = self._options.host == "func"
        child = self._func() if real else self._local_host()
        self._open.callback(child.stop)
        child.wait_until_ready(_FUNC_READY_SECONDS if real else _READY_SECONDS)
        self._host = child

    def stop_host(self) -> None:
        """Stop the functions host alone, cleanly."""
        if self._host is not None:
            self._host.stop()
            self._host = None

    def kill_host(self) -> None:
        """End the functions host alone, as a crash does (SIGKILL)."""
        if self._host is not None:
            self._host.kill()
            self._host = None

    def check(self) -> None:
        """See that all processes run.

        Raises:
            ChildFailed: one has ended by itself.
        """
        azurite = None if self._azurite is None else self._azurite.child
        for child in (azurite, self._platform, self._host):
            if child is not None and not child.running:
                raise ChildFailed(child.epitaph())

    def watch(self, stop: threading.Event) -> None:
        """Wait until `stop` is set.

        Raises:
            ChildFailed: a process has ended by itself.
        """
        while not stop.wait(_WATCH_SECONDS):
            self.check()

    def _start(self) -> None:
        options = self._options
        self._run = Path(tempfile.mkdtemp(prefix="parley-"))
        self._open.callback(shutil.rmtree, self._run, ignore_errors=True)
        if options.data is not None:
            options.data.mkdir(parents=True, exist_ok=True)
            self._lock = self._open.enter_context((options.data / "lock").open("w"))
            _claim(self._lock, options.data)
            self._keys = DevelopmentKeys.kept_in(options.data / "keys.json")
        if not options.keep_logs:
            for name in ("azurite", "platform", "functions"):
                self._log(name).unlink(missing_ok=True)
        self._ports = self._open.enter_context(ReservedPorts(options.ports)).ports
        self._azurite = self._start_azurite()
        _make_storage(self.storage)
        self._start_platform()
        self.start_host()

    def _start_azurite(self) -> Azurite:
        ports = self._ports
        azurite = Azurite(
            log=self._log("azurite"),
            data=None if self._options.data is None else self._options.data / "azurite",
            ports=(ports.blob, ports.queue, ports.table),
            keeps=self._kept(),
        )
        self._open.callback(azurite.stop)
        return azurite

    def _start_platform(self) -> None:
        options = self._options
        wiring = {
            "port": self._ports.platform,
            "data": None if options.data is None else str(options.data / "platform"),
            "acs_key": self._keys.acs,
            "senders": json.dumps(options.senders),
            "topic_key": self._keys.topic,
            "functions_url": self.endpoint,
            "eventgrid_key": self._keys.host_eventgrid,
            "parley_url": self.endpoint,
            "parley_function_key": self._keys.host_function,
            "repeatability_seconds": options.repeatability_seconds,
            "delivery_seconds": options.delivery_seconds,
            "retry_scale": options.retry_scale,
        }
        # A file, because a command line is open to every user of the machine.
        config = self._run / "platform.json"
        write_secret(config, json.dumps({k: v for k, v in wiring.items() if v is not None}))
        child = Child(
            "The simulated platform",
            [sys.executable, "-m", "local.platform", "--config", str(config)],
            log=self._log("platform"),
            ready=self._platform_listens,
            directory=ROOT,
            keeps=self._kept(),
        )
        self._platform = child
        self._open.callback(child.stop)
        child.wait_until_ready(_READY_SECONDS)

    def _platform_listens(self, line: str) -> bool:
        found = _json_object(line).get("port")
        if isinstance(found, int):
            self._platform_port = found
        return isinstance(found, int)

    def _local_host(self) -> Child:
        arguments = self._run / "host.arguments"
        options = {
            "app": self._options.app,
            "port": self._ports.functions,
            "master-key": self._keys.host_master,
            "function-key": self._keys.host_function,
            "eventgrid-key": self._keys.host_eventgrid,
            "queue-lease-seconds": self._options.queue_lease_seconds,
            **({} if self._options.wire is None else {"wire": self._options.wire}),
        }
        write_secret(arguments, "\n".join(f"--{name}={value}" for name, value in options.items()))
        return Child(
            "The functions host",
            [sys.executable, "-m", "local.host", f"@{arguments}"],
            log=self._log("functions"),
            ready=lambda line: "functions" in _json_object(line),
            environ={**_environment(), **self.settings},
            directory=ROOT,
            keeps=self._kept(),
        )

    def _func(self) -> Child:
        func = shutil.which("func")
        if func is None:
            raise ChildFailed("There is no `func` (Azure Functions Core Tools) on the PATH.")
        return Child(
            "Core Tools' functions host",
            [func, "start", "--port", str(self._ports.functions)],
            log=self._log("functions"),
            ready=lambda line: any(text in line for text in _FUNC_READY_LINES),
            environ={
                **_environment(),
                "FUNCTIONS_WORKER_RUNTIME": "python",
                **self.settings,
            },
            directory=self._options.app,
            keeps=self._kept(),
        )

    def _kept(self) -> tuple[int, ...]:
        # The data belongs to this stack until the last of its servers has ended, so that none of
        # another one works on it beside them.
        return () if self._lock is None else (self._lock.fileno(),)

    def _log(self, name: str) -> Path:
        return self._options.logs / f"{name}.log"

    def _running_azurite(self) -> Azurite:
        if self._azurite is None:
            raise RuntimeError("the stack has not been started")
        return self._azurite


class StackBusy(Exception):
    """Another stack uses the same data folder."""


def write_secret(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    fresh.replace(path)


def _environment() -> dict[str, str]:
    # What a developer's shell holds for Parley must not fill a gap in the stack's own settings.
    return {name: value for name, value in os.environ.items() if not name.startswith("PARLEY_")}


def _claim(lock: IO[str], data: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise StackBusy(f"A stack is running already with the data in {data}.") from None


def _make_storage(connection_string: str) -> None:
    with (
        QueueServiceClient.from_connection_string(connection_string, **_STORAGE_PATIENCE) as queues,
        BlobServiceClient.from_connection_string(connection_string, **_STORAGE_PATIENCE) as blobs,
        TableServiceClient.from_connection_string(connection_string, **_STORAGE_PATIENCE) as tables,
    ):
        for make, names in (
            (queues.create_queue, QUEUES),
            (blobs.create_container, (*CONTAINERS, *HOST_CONTAINERS)),
            (tables.create_table, TABLES),
        ):
            for name in names:
                try:
                    make(name)
                except ResourceExistsError:
                    continue


def _json_object(line: str) -> dict[str, Any]:
    try:
        content = json.loads(line)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
