"""Runs the indexing of an app with the settings that a deployed one has, and no others."""

from __future__ import annotations

import json
import subprocess
import sys
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from local.bicep_settings import local_settings

ROOT: Final = Path(__file__).parent.parent.parent
_SCRIPT: Final = Path(__file__).parent / "index.py"


def settings() -> dict[str, str]:
    """What the app needs to start, checked against Bicep's list."""
    key = b64encode(bytes(32)).decode()
    return local_settings(
        {
            "AZURE_CLIENT_ID": "00000000-0000-0000-0000-000000000000",
            "PARLEY_SENDERS": '[{"sender": "+18005550100"}]',
            "PARLEY_ACCESS_KEY_PRIMARY": key,
            "PARLEY_ACCESS_KEY_SECONDARY": key,
            "PARLEY_ID_KEY": key,
            "PARLEY_STORAGE__tableServiceUri": "https://record.table.core.windows.net/",
            "PARLEY_STORAGE__queueServiceUri": "https://record.queue.core.windows.net/",
            "PARLEY_STORAGE__blobServiceUri": "https://record.blob.core.windows.net/",
            "PARLEY_HOST_STORAGE__blobServiceUri": "https://host.blob.core.windows.net/",
            "PARLEY_ACS_ENDPOINT": "https://acs.communication.azure.com",
            "PARLEY_TOPIC_ENDPOINT": "https://topic.eastus-1.eventgrid.azure.net/api/events",
        }
    )


def index(
    app: Path = ROOT, python: str = sys.executable, path: Sequence[Path] = (ROOT,)
) -> dict[str, list[dict[str, Any]]]:
    """The functions of an app with their bindings, as the runtime indexes them.

    Args:
        app: the folder with function_app.py.
        python: the interpreter whose libraries the app uses.
        path: where the runtime library and `local/` are, beside that interpreter's own libraries.
    """
    environment = settings() | {
        "PYTHONPATH": ":".join(str(folder) for folder in path),
        # The app's folder stays as it was unpacked.
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(  # noqa: S603  # our own script, by the interpreter that the test names
        [python, str(_SCRIPT), str(app)],
        env=environment,
        cwd=app,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, list[dict[str, Any]]] = json.loads(done.stdout.splitlines()[-1])
    return found
