"""restic (https://restic.net, a package of Debian): encrypted copies that take up only what is new, safe to interrupt.

Each call is one process of low priority; the key goes to it through its environment, never on a command line.
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from homework.errors import ClassboxError

_NICE: Final = 15
_LOOK_S: Final = 0.5
_ENDING_S: Final = 10
_SOME_NOT_READ: Final = 3
"""restic's exit status for a copy that was made without files that vanished meanwhile."""
_KEPT: Final = ("--keep-last", "2", "--keep-daily", "7")
_NEVER_ENDING: Final[Callable[[], bool]] = lambda: False  # noqa: E731 - a default that a test can name


class ResticError(ClassboxError):
    """A copy cannot be made, tidied or read."""


class Ended(Exception):  # noqa: N818 - no error: it tells the caller to stop
    """The box ends; what was copied so far is not lost, the next run goes on from there."""


class Added(msgspec.Struct, frozen=True):
    """What a run did, as restic says it."""

    files_new: int
    files_changed: int
    data_added: int
    """Bytes, before they were packed."""
    total_bytes_processed: int
    snapshot_id: str


class _Snapshot(msgspec.Struct, frozen=True):
    time: dt.datetime


class Restic:
    """The copies in one folder."""

    def __init__(self, repository: Path, key: str, *, ending: Callable[[], bool] = _NEVER_ENDING) -> None:
        self._repository, self._key, self._ending = repository, key, ending

    def make(self) -> None:
        """Make the folder ready. Raises `ResticError`."""
        self._run(["init", "--repository-version", "2"])

    def add(self, folder: Path, *, without: Sequence[str]) -> Added:
        """Copy `folder`; names in `without` may hold `*`. Raises `ResticError` and `Ended`."""
        self._run(["unlock", "--remove-all"])  # nobody else writes here: a lock is of a run that was killed
        time = self._after_the_newest().strftime("%Y-%m-%d %H:%M:%S")
        left_out = [f"--exclude={name}" for name in without]
        said = self._run(["backup", ".", "--host", "classbox", "--time", time, "--json", *left_out], cwd=folder)
        try:
            return msgspec.json.decode(said.strip().splitlines()[-1], type=Added)
        except (IndexError, msgspec.DecodeError) as error:
            raise _failed("no summary") from error

    def tidy(self) -> None:
        """Let old copies go, and look whether the newest are whole. Raises `ResticError` and `Ended`."""
        self._run(["forget", *_KEPT, "--prune"])
        self._run(["check"])

    def bring_back(self, to: Path) -> None:
        """Put the newest copy into the folder `to`, checked. Raises `ResticError`."""
        self._run(["restore", "latest", "--target", str(to), "--verify"])

    def _after_the_newest(self) -> dt.datetime:
        """Now; but later than every copy that is there, so that the newest is the newest under a wrong clock too."""
        now = dt.datetime.now(dt.UTC)
        try:
            known = msgspec.json.decode(self._run(["snapshots", "--json"]), type=list[_Snapshot])
        except msgspec.DecodeError as error:
            raise _failed("no list") from error
        return max([now, *(each.time + dt.timedelta(seconds=1) for each in known)])

    def _run(self, words: Sequence[str], *, cwd: Path | None = None) -> str:
        program = shutil.which("restic")
        if program is None:
            raise ResticError("restic is not installed.", remedy="Install it: apt-get install restic")
        try:
            process = subprocess.Popen(  # noqa: S603 - words of ours, and folders
                [program, "--no-cache", "--repo", str(self._repository.absolute()), *words],
                cwd=cwd,
                env={
                    **os.environ,
                    "RESTIC_PASSWORD": self._key,
                    "TZ": "UTC",
                    "RESTIC_PROGRESS_FPS": "0.02",
                    "GOGC": "25",
                },
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
            )
            os.setpriority(os.PRIO_PROCESS, process.pid, _NICE)
        except OSError as error:
            raise _failed(error.strerror or str(error)) from error
        with process:
            said, complaint = self._wait(process)
        if process.returncode not in (0, _SOME_NOT_READ):
            raise _error(complaint)
        return said

    def _wait(self, process: subprocess.Popen[str]) -> tuple[str, str]:
        while True:
            try:
                return process.communicate(timeout=_LOOK_S)
            except subprocess.TimeoutExpired:
                if not self._ending():
                    continue
            process.terminate()
            try:
                process.communicate(timeout=_ENDING_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
            raise Ended


def _error(complaint: str) -> ResticError:
    """Its last line, in words that say what to do."""
    low = complaint.lower()
    if "no space left" in low:
        return ResticError("The stick is full.", remedy="Choose a larger stick for the second copy.")
    if "wrong password" in low:
        return ResticError("This key does not open the copy.", remedy="Type the key that was shown with the copy.")
    if "read-only file system" in low:
        return ResticError("The stick cannot be written to.", remedy="Open its write protection, or take another one.")
    lines = [line for line in complaint.splitlines() if line.strip()]
    return _failed(next((line for line in lines if line.startswith("Fatal")), lines[-1] if lines else "?"))


def _failed(reason: str) -> ResticError:
    return ResticError(
        "The second copy did not succeed: {reason}.",
        remedy="Look whether the stick sits well, or take another one.",
        reason=reason.rstrip("."),
    )
