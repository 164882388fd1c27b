"""A second, encrypted copy of the box on a memory stick that stays in it.

The box keeps it up by itself, a few minutes after the last sheet of a stack: one moment of the ledger, the documents,
the pictures. What is on the stick opens with one key alone, which the box shows to the technician.
"""

from __future__ import annotations

import base64
import logging
import os
import secrets
import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import msgspec

from edge.backup import KEYS, PICTURES, BackupError, Made, begin_anew, being_restored, pictures_of
from edge.documents import FILE_NAME as DOCUMENTS_NAME
from edge.ledger import FILE_NAME as LEDGER_NAME
from edge.pictures import Pictures
from edge.restic import Ended, Restic, ResticError
from edge.standstill import standing_still
from homework.errors import ClassboxError
from sync.clock import Clock
from sync.stick import sticks_in
from sync.whole_files import write_whole

log = logging.getLogger(__name__)
FOLDER: Final = "classbox-copy"
KEY_FILE: Final = "second-copy.json"
_WHOSE, _COPIES, _READ_ME = "whose.json", "copies", "READ ME.txt"
_LEFT_OUT: Final = (*KEYS, "*.sqlite-wal", "*.sqlite-shm", "logs", "box.toml", ".?*")
_QUIET_S, _LATEST_S, _AGAIN_S, _TIDY_S = 120.0, 1800.0, 600.0, 24 * 3600.0
_WORDS = """这是 Classbox 批改盒的加密副本。请把它留在盒子里；没有密钥，任何人都打不开。
盒子坏了：在新盒子上运行 classbox restore 这个文件夹 --data 新的数据文件夹，并输入密钥。

This is the encrypted copy of a Classbox. Leave it in its box; nobody opens it without its key.
If the box is broken: run classbox restore THIS-FOLDER --data NEW-DATA-FOLDER on a new one, and type the key.
"""


class CopyKey(msgspec.Struct, frozen=True, tag_field="second_copy", tag=1):
    """What this box's copies are known by, and what opens them."""

    name: str
    key: str


class _Whose(msgspec.Struct, frozen=True):
    name: str


@dataclass(frozen=True)
class CopyState:
    """How it stands with the second copy."""

    wanted: bool = False
    stick: str | None = None
    """The stick that is in the box, by its name."""
    sheets: int | None = None
    """Captures in the copy that was made last since the start; None before."""
    trouble: ClassboxError | None = None


class SecondCopy:
    """Made once; `look` is for one thread, everything else for any."""

    def __init__(
        self,
        data: Path,
        roots: Sequence[Path],
        *,
        is_stick: Callable[[Path], bool] = os.path.ismount,
        quiet_s: float = _QUIET_S,
    ) -> None:
        self._data, self._roots, self._is_stick, self._quiet_s = data, roots, is_stick, quiet_s
        self._state = CopyState()
        self._db: sqlite3.Connection | None = None
        self._version: tuple[int, int] | None = None
        self._changed_s = self._copied_s = time.monotonic()
        self._not_before_s = 0.0
        self._chosen: Path | None = None
        self._is_new = True
        self._tidied_s: float | None = None

    def state(self) -> CopyState:
        """How it stands, as of the last look."""
        return replace(self._state, wanted=self.key() is not None)

    def key(self) -> CopyKey | None:
        """What opens the copies of this box, once there is one. Raises `ResticError` for a file that is damaged."""
        try:
            return msgspec.json.decode((self._data / KEY_FILE).read_bytes(), type=CopyKey)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ResticError(
                "The key of the second copy cannot be read.",
                remedy="Delete {name} in the box's data folder and choose a stick anew.",
                name=KEY_FILE,
            ) from error

    def sticks(self) -> list[Path]:
        """The memory sticks that are in the box."""
        return sticks_in(self._roots, self._is_stick)

    def begin(self, stick: Path) -> CopyKey:
        """Let `stick` keep the copy from now on; the key is made with the first one. Raises `ResticError`."""
        if stick not in self.sticks():
            raise ResticError("This stick is no longer in the box.", remedy="Put it in again and wait a moment.")
        folder = stick / FOLDER
        known = self.key()
        if folder.exists() and (known is None or _whose(folder) != known.name):
            raise ResticError(
                "This stick keeps another box's copy.",
                remedy="Take another stick, or delete its folder {name} first.",
                name=FOLDER,
            )
        key = known or CopyKey(secrets.token_hex(8), _new_key())
        try:
            if known is None:
                write_whole(self._data / KEY_FILE, msgspec.json.encode(key), mode=0o600)
            if not (folder / _COPIES / "config").exists():
                folder.mkdir(exist_ok=True)
                (folder / _READ_ME).write_text(_WORDS, encoding="utf-8")
                Restic(folder / _COPIES, key.key).make()
                write_whole(folder / _WHOSE, msgspec.json.encode(_Whose(key.name)))
        except OSError as error:
            raise ResticError(
                "{path} cannot be written: {reason}.",
                remedy="Make room there, or take another stick.",
                path=stick,
                reason=error.strerror,
            ) from error
        self._is_new, self._chosen = True, stick
        self._state = CopyState(stick=stick.name)
        self._copied_s, self._not_before_s = time.monotonic() - _LATEST_S, 0.0
        log.info("the second copy is kept on a stick from now on")
        return key

    def look(self, ending: Callable[[], bool]) -> ClassboxError | None:
        """Bring the copy up to date when it is time. What goes wrong is the technician's, and stands in the state."""
        try:
            key = self.key()
            if key is None:
                self._state = CopyState()
                return None
            ours = [stick for stick in self.sticks() if _whose(stick / FOLDER) == key.name]
            if not ours:
                self._state, self._not_before_s = replace(self._state, stick=None, trouble=None), 0.0
                return None
            stick = self._chosen if self._chosen in ours else ours[0]
            self._state = replace(self._state, stick=stick.name)
            if self._is_time():
                self._copy(stick / FOLDER, key, ending)
        except ClassboxError as error:
            log.warning("second copy: %s", error)
            self._is_new, self._not_before_s = True, time.monotonic() + _AGAIN_S
            self._state = replace(self._state, trouble=error)
        except Ended:
            self._is_new = True
            log.info("second copy: goes on at the next start")
        return None

    def _is_time(self) -> bool:
        """After a stack has ended, and in a day without a pause every half hour."""
        now_s, version = time.monotonic(), self._newest()
        if version != self._version:
            self._version, self._changed_s, self._is_new = version, now_s, True
        is_quiet = now_s - self._changed_s >= self._quiet_s
        return self._is_new and now_s >= self._not_before_s and (is_quiet or now_s - self._copied_s >= _LATEST_S)

    def _newest(self) -> tuple[int, int]:
        """Differs when anybody has changed the ledger or a document since; carrying the log over counts as well."""
        if self._db is None:
            address = f"{(self._data / LEDGER_NAME).absolute().as_uri()}?mode=ro"
            self._db = sqlite3.connect(address, uri=True, check_same_thread=False)
        try:
            documents_ns = (self._data / DOCUMENTS_NAME).stat().st_mtime_ns
        except FileNotFoundError:
            documents_ns = 0
        return self._db.execute("PRAGMA data_version").fetchone()[0], documents_ns

    def _copy(self, folder: Path, key: CopyKey, ending: Callable[[], bool]) -> None:
        restic = Restic(folder / _COPIES, key.key, ending=ending)
        began_s = time.monotonic()
        self._is_new = False
        with standing_still(self._data / LEDGER_NAME) as moment:
            version = self._newest()
            if moment.is_newest():
                self._version = version
            sheets = moment.db.execute("SELECT count(*) FROM capture").fetchone()[0]
            added = restic.add(self._data, without=_LEFT_OUT)
        self._copied_s = time.monotonic()
        log.info("second copy: %d sheets, %d bytes new, %.1f s", sheets, added.data_added, self._copied_s - began_s)
        if self._tidied_s is None or self._copied_s - self._tidied_s >= _TIDY_S:
            restic.tidy()
            self._tidied_s = time.monotonic()
        self._state = replace(self._state, sheets=sheets, trouble=None)


def is_second_copy(folder: Path) -> bool:
    """Whether a folder holds such a copy."""
    return _whose(folder) is not None


def restore_second_copy(source: Path, data: Path, *, key: str, clock: Clock) -> Made:
    """Make the folder `data`, which is not there or empty, a box again from a stick. Raises `ClassboxError`."""
    with being_restored(data) as folder:
        Restic(source / _COPIES, _typed(key)).bring_back(folder)
        if not (folder / LEDGER_NAME).exists():
            raise BackupError("The copy holds no box.", remedy="Take another copy.")
        wanted, captures = pictures_of(folder / LEDGER_NAME)
        pictures = Pictures(folder / PICTURES)
        missing = sum(pictures.read(digest) is None for digest in wanted)
        begin_anew(folder, clock=clock)
    return Made(captures, len(wanted) - missing, len(wanted) - missing, missing)


def _whose(folder: Path) -> str | None:
    try:
        return msgspec.json.decode((folder / _WHOSE).read_bytes(), type=_Whose).name
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def _new_key() -> str:
    """160 random bits, in letters and digits that nobody takes for others."""
    text = base64.b32encode(secrets.token_bytes(20)).decode()
    return "-".join(text[at : at + 4] for at in range(0, len(text), 4))


def _typed(key: str) -> str:
    """A key as it was shown, however it was typed."""
    text = "".join(key.upper().replace("-", "").split()).translate(str.maketrans("018", "OIB"))
    return "-".join(text[at : at + 4] for at in range(0, len(text), 4))
