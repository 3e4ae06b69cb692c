"""What becomes of a log record in Azure: first the Python worker's half, then the host's.

The worker puts its handler on the root logger at INFO, formats each record without a format of its
own (the message, then the whole trace of `exc_info` with its causes), and sends it with the
logger's name and the id of the invocation in whose context it was logged (`AsyncLoggingHandler`,
`Dispatcher.on_logging` and `dispatch_forever` in `proxy_worker/dispatcher.py`,
`is_system_log_category` in `proxy_worker/logging.py`, Azure/azure-functions-python-worker).

The host keeps what the worker and the library say of themselves. A record of the app is kept while
its invocation runs, and dropped otherwise: what is logged at import, or in a task that outlives its
invocation, never reaches Application Insights that way (`Log` in
`src/WebJobs.Script.Grpc/Channel/GrpcWorkerChannel.cs`, Azure/azure-functions-host).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, TextIO

from azure_functions_runtime.utils.executor import invocation_id_cv

# Loggers of the worker, the library and `azure.functions`: the host never drops them.
_SYSTEM: Final = ("proxy_worker", "azure_functions_runtime", "azure.functions")
# This host's own loggers, and its server's. In Azure they are another process's.
_HOST: Final = ("local.", "uvicorn")
_LINE: Final = "%(asctime)s %(levelname)s %(name)s %(message)s"

_running: Final[set[str]] = set()


@contextmanager
def running(invocation_id: str) -> Iterator[None]:
    """The host knows this invocation until the block ends."""
    _running.add(invocation_id)
    try:
        yield
    finally:
        _running.discard(invocation_id)


class WorkerLog(logging.Handler):
    """Takes every record as the worker does, and keeps what the host would keep.

    Args:
        kept: where the host's log goes.
        wire: gets each record that the worker would send, a JSON object a line, those that the
            host then drops among them.
    """

    def __init__(self, kept: TextIO, wire: TextIO | None = None) -> None:
        super().__init__()
        self._kept = kept
        self._wire = wire
        self._line = logging.Formatter(_LINE)

    def emit(self, record: logging.LogRecord) -> None:
        """Send it, as the worker would, and write it where the host keeps it."""
        try:
            if record.name.startswith(_HOST):
                self._keep(record)
                return
            invocation = invocation_id_cv.get()
            if self._wire is not None:
                self._send(record, invocation)
            if record.name.startswith(_SYSTEM) or invocation in _running:
                self._keep(record)
        except Exception:  # noqa: BLE001  # logging's own rule: no record may end its caller
            self.handleError(record)

    def _send(self, record: logging.LogRecord, invocation: str | None) -> None:
        sent = {
            "level": record.levelname,
            "category": record.name,
            "invocation": invocation,
            "message": self.format(record),
        }
        print(json.dumps(sent), file=self._wire, flush=True)

    def _keep(self, record: logging.LogRecord) -> None:
        print(self._line.format(record), file=self._kept, flush=True)


def log_as_the_worker(kept: TextIO, wire: TextIO | None = None) -> None:
    """Put the handler on the root logger, at the worker's level. Nothing is silenced."""
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    root.addHandler(WorkerLog(kept, wire))
