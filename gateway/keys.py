"""Secrets at rest: one key file beside the database seals what the database keeps secret.

A copy of the database alone tells nobody a pupil's name or a box's key. The file is made once, readable by its
owner only; without it the sealed columns cannot be opened again, so a backup needs both, kept apart.
"""

from __future__ import annotations

import hmac
import os
import secrets
from pathlib import Path

from homework.errors import ClassboxError
from sync.sealing import SealError, open_sealed, seal

KEY_FILE_NAME = "gateway.key"
_KEY_BYTES = 32


class Vault:
    """Seals and opens small secrets under one key: the gateway's own, or for names a school's."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def seal(self, secret: bytes, *, purpose: str) -> bytes:
        """`secret` sealed; `purpose` (what it is, whose it is) ties it to its place."""
        return seal(self._key, secret, purpose.encode())

    def open(self, sealed: bytes, *, purpose: str) -> bytes:
        """What was sealed. Raises `ClassboxError` when this is not the key that sealed it."""
        try:
            return open_sealed(self._key, sealed, purpose.encode())
        except SealError as error:
            raise ClassboxError(
                "The gateway's key file does not fit its database.",
                remedy="Put the gateway.key that belongs to this database back into the data folder.",
            ) from error

    def derived(self, purpose: str) -> str:
        """32 hexadecimal digits that only who has the key can know; the same for all who have it."""
        return hmac.digest(self._key, f"classbox {purpose}".encode(), "sha256")[:16].hex()


def open_vault(data: Path) -> Vault:
    """The vault of a data folder; its key file `gateway.key` is made (0600) when there is none.

    Raises `ClassboxError` when the folder cannot be used or the file is damaged.
    """
    path = data / KEY_FILE_NAME
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        key = path.read_bytes() if path.exists() else _make(path)
    except OSError as error:
        raise ClassboxError(
            "The data folder {folder} cannot be used: {reason}.",
            remedy="Choose another with data = … in gateway.toml.",
            folder=data,
            reason=error.strerror,
        ) from error
    if len(key) != _KEY_BYTES:
        raise ClassboxError(
            "The key file {path} is damaged.",
            remedy="Put it back from a backup; nothing can be opened without it.",
            path=path,
        )
    return Vault(key)


def _make(path: Path) -> bytes:
    """Written beside and linked into place, so that two programs starting at once agree on one key."""
    key = secrets.token_bytes(_KEY_BYTES)
    beside = path.with_suffix(f".{secrets.token_hex(4)}")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(key)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(beside, path)
    except FileExistsError:
        return path.read_bytes()
    finally:
        beside.unlink()
    return key
