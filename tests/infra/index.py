"""Has Microsoft's runtime index an app, in a process of its own, and prints what it found as JSON.

    python tests/infra/index.py FOLDER

The runtime library and `local/` are found by PYTHONPATH; the app's own libraries are this
interpreter's.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

if __name__ == "__main__":
    from local.host.runtime import load

    loaded = load(Path(sys.argv[1]).resolve())
    found = {function.name: list(function.bindings) for function in loaded}
    sys.stdout.write(json.dumps(found) + "\n")
