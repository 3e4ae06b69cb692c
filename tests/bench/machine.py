"""On what a figure was taken: without that it says nothing."""

from __future__ import annotations

import os
import platform
import re
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

_PACKAGES: Final = (
    "azure-functions-runtime",
    "azure-functions",
    "azure-data-tables",
    "azure-core",
    "azure-eventgrid",
    "azure-communication-sms",
    "aiohttp",
)
_MODEL: Final = re.compile(r"^model name\s*:\s*(.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Machine:
    """What the figures depend on."""

    cpu: str
    cores: int
    system: str
    python: str
    packages: str
    load: float

    @classmethod
    def this(cls) -> Machine:
        """The one that this runs on, with its load over the last minute."""
        return cls(
            cpu=_cpu(),
            cores=os.cpu_count() or 0,
            system=f"{platform.system()} {platform.release()}",
            python=f"{platform.python_implementation()} {platform.python_version()}",
            packages=", ".join(f"{name} {version(name)}" for name in _PACKAGES),
            load=os.getloadavg()[0],
        )

    def lines(self) -> list[str]:
        """For people."""
        machine = f"{self.cpu}, {self.cores} cores, {self.system}, {self.python}"
        return [f"{machine}; load before the start {self.load:.1f}", self.packages]


def _cpu() -> str:
    file = Path("/proc/cpuinfo")
    found = _MODEL.search(file.read_text()) if file.is_file() else None
    return found[1] if found else platform.machine()
