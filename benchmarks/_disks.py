"""Small disks of one's own that fill up, and a place in which nobody else sees them.

`apart` gives this process a mount namespace: what is mounted in it is gone with it, also when it is killed.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_MOUNT_NAMESPACE = 0x00020000  # CLONE_NEWNS
_FILLER = "filler"


def apart() -> bool:
    """Be in a mount namespace of one's own from now on. False where this user may not."""
    if ctypes.CDLL(None, use_errno=True).unshare(_MOUNT_NAMESPACE) != 0:
        return False
    return subprocess.run(["mount", "--make-rprivate", "/"], capture_output=True, check=False).returncode == 0


@contextmanager
def small_disk(where: Path, *, kb: int) -> Iterator[bool]:
    """A disk of `kb` KiB at `where`, which is made. False, and a plain folder, where this user may not mount one."""
    where.mkdir(exist_ok=True)
    words = ["mount", "-t", "tmpfs", "-o", f"size={kb}k", "classbox", str(where)]
    mounted = subprocess.run(words, capture_output=True, check=False).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", str(where)], check=True)


def fill(disk: Path, *, leave_kb: int) -> None:
    """Take all the room but so much."""
    free = shutil.disk_usage(disk).free
    with suppress(OSError), (disk / _FILLER).open("wb", buffering=0) as file:  # somebody else may be quicker
        for _ in range(max(0, free // 1024 - leave_kb)):
            file.write(bytes(1024))


def make_room(disk: Path) -> None:
    """Give it back."""
    (disk / _FILLER).unlink(missing_ok=True)
