"""What the machine says of itself: memory, disk, heat, power. Read from the kernel; what is not there is None."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from homework.errors import one_line

_THROTTLED = Path("devices/platform/soc/soc:firmware/get_throttled")
_VCGENCMD_S = 2.0
UNDERVOLTAGE_NOW, HOT_NOW, UNDERVOLTAGE_WAS, HOT_WAS = 1 << 0, (1 << 2) | (1 << 3), 1 << 16, (1 << 18) | (1 << 19)
"""Bits of a Raspberry Pi's `get_throttled`."""


@dataclass(frozen=True)
class Machine:
    """One look. `throttled` are the bits of a Raspberry Pi, `temperature_c` the hottest zone of the processor."""

    rss_bytes: int
    memory_free_bytes: int
    memory_bytes: int
    disk_free_bytes: int
    disk_bytes: int
    temperature_c: float | None
    throttled: int | None
    load_1min: float
    up_s: float


def read_machine(data: Path, *, sys: Path = Path("/sys")) -> Machine:
    """Look now; `data` lies on the disk that is meant."""
    memory = psutil.virtual_memory()
    disk = psutil.disk_usage(str(data))
    return Machine(
        rss_bytes=psutil.Process().memory_info().rss,
        memory_free_bytes=memory.available,
        memory_bytes=memory.total,
        disk_free_bytes=disk.free,
        disk_bytes=disk.total,
        temperature_c=_temperature_c(sys),
        throttled=_throttled(sys),
        load_1min=psutil.getloadavg()[0],
        up_s=time.time() - psutil.boot_time(),
    )


def _temperature_c(sys: Path) -> float | None:
    found = []
    for zone in sorted(sys.glob("class/thermal/thermal_zone*/temp")):
        try:
            degrees = int(zone.read_text()) / 1000
        except (OSError, ValueError):
            continue
        if 0 < degrees < 150:
            found.append(degrees)
    return max(found, default=None)


def _throttled(sys: Path) -> int | None:
    try:
        return int((sys / _THROTTLED).read_text().strip(), 16)
    except (OSError, ValueError):
        pass
    command = shutil.which("vcgencmd")
    if command is None:
        return None
    try:
        said = subprocess.run(  # noqa: S603 - a fixed command of the system's, without input
            [command, "get_throttled"], capture_output=True, text=True, timeout=_VCGENCMD_S, check=True
        ).stdout
        return int(said.partition("=")[2].strip(), 16)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None


def why_not_writable(database: Path) -> str | None:
    """Why a database takes no change; None when it takes one. Changes nothing and wears no card.

    Beginning a transaction takes the write lock and fails on a file or disk that may only be read.
    """
    try:
        connection = sqlite3.connect(
            f"{database.absolute().as_uri()}?mode=rw", uri=True, timeout=2, isolation_level=None
        )
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
        finally:
            connection.close()
    except sqlite3.Error as error:
        return one_line(error)
    return None
