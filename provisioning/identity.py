"""Who a box is: its school, its name and its keys, in one file that only its owner may read."""

from __future__ import annotations

from pathlib import Path

import msgspec

from homework.errors import BadFileError
from sync.whole_files import write_whole

FILE_NAME = "identity.json"


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """What enrolment gives a box. Keys have 32 bytes; `broker_url` may be overruled by `box.toml`."""

    school: str
    box: str
    school_key: bytes
    box_key: bytes
    broker_url: str

    def __repr__(self) -> str:
        return f"Identity({self.school}/{self.box}, broker_url={self.broker_url!r})"  # keys never reach a log


def identity_path(data: Path) -> Path:
    """Where the identity is kept in a box's data folder."""
    return data / FILE_NAME


def write_identity(data: Path, identity: Identity) -> Path:
    """Keep the identity in a data folder (made when missing), mode 0600, whole or not at all."""
    path = identity_path(data)
    try:
        data.mkdir(parents=True, exist_ok=True)
        write_whole(path, msgspec.json.encode(identity), mode=0o600)
    except OSError as error:
        raise BadFileError(
            "The identity cannot be written to {folder}: {reason}.",
            remedy="Choose a folder that you may write to with --data.",
            folder=data,
            reason=error.strerror,
        ) from error
    return path


def read_identity(data: Path) -> Identity | None:
    """The identity in a data folder, None for a box that was never enrolled. Raises `BadFileError`."""
    path = identity_path(data)
    try:
        return msgspec.json.decode(path.read_bytes(), type=Identity)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadFileError(
            "The identity {path} cannot be read: {detail}.",
            remedy="Enrol the box again with `classbox enrol CODE`.",
            path=path,
            detail=error,
        ) from error
