"""A memory stick in the place of a line: the messages that travel over MQTT, sealed once more, in one file each way.

`classbox-sync/SCHOOL/BOX/up.cbx` holds what the box would have published, `down.cbx` what the gateway answered. Because
they are the same messages, whatever comes twice, late, or over the network as well changes nothing (D17). A stick that
a school registered has `classbox-sync/SCHOOL/school.json`: boxes and gateways serve it by themselves.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from homework.errors import ClassboxError
from sync.sealing import SealError, open_sealed, seal
from sync.signed import MAX_MESSAGE_BYTES
from sync.topics import checked_id
from sync.whole_files import write_whole

FOLDER = "classbox-sync"
SCHOOL_FILE = "school.json"
Way = Literal["up", "down"]
_MAGIC = b"classbox stick 1\n"
_LENGTH = struct.Struct(">I")
_MOST_BYTES = 256 << 20
"""Of one file; a term of 18,000 sheets takes about 2 MiB."""


class StickError(ClassboxError):
    """A stick cannot be read or written, or holds nothing of ours."""


class _School(msgspec.Struct, frozen=True):
    stick: str
    tag: str


class Kept(NamedTuple):
    """The messages of a file, and whether it ended before its time."""

    messages: tuple[tuple[str, bytes], ...]
    """Channel and payload of each."""
    torn: bool


def write_messages(
    stick: Path, way: Way, messages: Iterable[tuple[str, bytes]], *, school: str, box: str, key: bytes
) -> int:
    """Put the messages (channel and payload) into the file of that way, whole, in the place of the one before.

    `key` is the box's. Returns how many bytes it has. Raises `StickError`.
    """
    body = [_MAGIC]
    for index, (channel, payload) in enumerate(messages):
        sealed = seal(_stick_key(key), channel.encode() + b"\0" + payload, _place(way, school, box, index))
        body += (_LENGTH.pack(len(sealed)), sealed)
    file = _file(stick, way, school, box)
    whole = b"".join(body)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, whole)
    except OSError as error:
        raise StickError(
            "The stick cannot be written: {reason}.",
            remedy="Make room on it, or take another one.",
            reason=error.strerror,
        ) from error
    return len(whole)


def read_messages(stick: Path, way: Way, *, school: str, box: str, key: bytes) -> Kept:
    """The messages of a file up to the first that is not whole; none where there is no file.

    Raises `StickError` for a file that is not ours, or was written under another key.
    """
    try:
        with _file(stick, way, school, box).open("rb") as file:
            whole = file.read(_MOST_BYTES)
    except FileNotFoundError:
        return Kept((), torn=False)
    except OSError as error:
        raise StickError(
            "The stick cannot be read: {reason}.", remedy="Put it in again.", reason=error.strerror
        ) from error
    messages: list[tuple[str, bytes]] = []
    torn = not whole.startswith(_MAGIC)
    for index, sealed in enumerate(_pieces(whole)):
        if sealed is None:
            torn = True
            break
        try:
            channel, _, payload = open_sealed(_stick_key(key), sealed, _place(way, school, box, index)).partition(b"\0")
        except SealError:
            torn = True
            break
        messages.append((channel.decode(errors="replace"), payload))
    if torn and not messages:
        raise StickError(
            "What stands on the stick for {box} cannot be read.",
            remedy="Write it anew: put the stick into that box once more.",
            box=f"{school}/{box}",
        )
    return Kept(tuple(messages), torn=torn)


def sticks_in(roots: Sequence[Path], is_stick: Callable[[Path], bool] = os.path.ismount) -> list[Path]:
    """The memory sticks that are in the machine: mounted as `ROOT/NAME` or `ROOT/USER/NAME`."""
    found: list[Path] = []
    for root in roots:
        for pattern in ("*", "*/*"):
            try:
                found += [path for path in sorted(root.glob(pattern)) if _fits(path, found, is_stick)]
            except OSError:  # a stick that was pulled out
                continue
    return found


def _fits(path: Path, found: Sequence[Path], is_stick: Callable[[Path], bool]) -> bool:
    return path.parent not in found and not path.is_symlink() and path.is_dir() and is_stick(path)


def written_file(stick: Path, school: str, box: str) -> Path:
    """Where stands what a box wrote."""
    return _file(stick, "up", school, box)


def answers_file(stick: Path, school: str, box: str) -> Path:
    """Where the gateway's answers for a box stand."""
    return _file(stick, "down", school, box)


def boxes_on(stick: Path, school: str) -> list[str]:
    """The boxes of a school that a stick carries something of."""
    try:
        folders = sorted((stick / FOLDER / checked_id(school)).iterdir())
        return [folder.name for folder in folders if _is_id(folder.name) and (folder / "up.cbx").is_file()]
    except OSError:  # no such folder, or a stick that was pulled out
        return []


def register(stick: Path, *, school: str, school_key: bytes) -> None:
    """Make a stick the school's own. Raises `StickError`."""
    name = secrets.token_hex(8)
    file = stick / FOLDER / checked_id(school) / SCHOOL_FILE
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, msgspec.json.encode(_School(name, _school_tag(name, school, school_key))))
    except OSError as error:
        raise StickError(
            "The stick cannot be written: {reason}.",
            remedy="Make room on it, or take another one.",
            reason=error.strerror,
        ) from error


def is_registered(stick: Path, *, school: str, school_key: bytes) -> bool:
    """Whether a stick is the school's own. One that somebody else made is not."""
    try:
        found = msgspec.json.decode((stick / FOLDER / school / SCHOOL_FILE).read_bytes(), type=_School)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return False
    return hmac.compare_digest(found.tag.encode(), _school_tag(found.stick, school, school_key).encode())


def _is_id(name: str) -> bool:
    try:
        return checked_id(name) == name
    except ClassboxError:
        return False


def _pieces(whole: bytes) -> Iterator[bytes | None]:
    """The sealed messages; None where the file ends in the middle of one."""
    at = len(_MAGIC)
    while at < len(whole):
        if at + _LENGTH.size > len(whole):
            yield None
            return
        (size,) = _LENGTH.unpack_from(whole, at)
        at += _LENGTH.size
        if size > MAX_MESSAGE_BYTES + 1024 or at + size > len(whole):
            yield None
            return
        yield whole[at : at + size]
        at += size


def _file(stick: Path, way: Way, school: str, box: str) -> Path:
    return stick / FOLDER / checked_id(school) / checked_id(box) / f"{way}.cbx"


def _place(way: Way, school: str, box: str, index: int) -> bytes:
    return f"stick/{way}/{school}/{box}/{index}".encode()


def _stick_key(key: bytes) -> bytes:
    return hashlib.blake2b(key=key, digest_size=32, person=b"classbox-stick").digest()


def _school_tag(name: str, school: str, school_key: bytes) -> str:
    return hashlib.blake2b(
        f"{school}/{name}".encode(), key=school_key, digest_size=16, person=b"classbox-owned"
    ).hexdigest()
