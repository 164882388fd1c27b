"""Secrets at rest: one key file beside the database seals what the database keeps secret.

A copy of the database alone tells nobody a pupil's name or a box's key. The file is made once, readable by its
owner only; without it the sealed columns cannot be opened again, so a backup needs both, kept apart.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from homework.errors import ClassboxError

_KEY_BYTES = 32
_NONCE_BYTES = 12


class Vault:
    """Seals and opens small secrets under the gateway's own key (ChaCha20-Poly1305, RFC 8439)."""

    def __init__(self, key: bytes) -> None:
        self._aead = ChaCha20Poly1305(key)

    def seal(self, secret: bytes, *, purpose: str) -> bytes:
        """`secret` sealed; `purpose` (a table and its key) ties it to its place."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, secret, purpose.encode())

    def open(self, sealed: bytes, *, purpose: str) -> bytes:
        """What was sealed. Raises `ClassboxError` when this is not the key that sealed it."""
        try:
            return self._aead.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], purpose.encode())
        except InvalidTag as error:
            raise ClassboxError(
                "The gateway's key file does not fit its database.",
                remedy="Put the gateway.key that belongs to this database back into the data folder.",
            ) from error


def open_vault(data: Path) -> Vault:
    """The vault of a data folder; its key file `gateway.key` is made (0600) when there is none."""
    path = data / "gateway.key"
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        key = path.read_bytes()
    else:
        key = secrets.token_bytes(_KEY_BYTES)
        with os.fdopen(handle, "wb") as file:
            file.write(key)
            file.flush()
            os.fsync(file.fileno())
    if len(key) != _KEY_BYTES:
        raise ClassboxError(
            f"The key file {path} is damaged.", remedy="Put it back from a backup; nothing can be opened without it."
        )
    return Vault(key)
