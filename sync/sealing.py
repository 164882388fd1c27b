"""Sealing under the school key: names and rosters travel and rest so that only their school can read them."""

from __future__ import annotations

import hmac
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from homework.errors import ClassboxError

_NONCE_BYTES = 12
_SALT_BYTES = 16
_TAG_BYTES = 16
_VERSION = b"\x01"
_INFO = b"classbox seal 1"


class SealError(ClassboxError):
    """What was sealed cannot be opened: another key, another place, or changed bytes."""


def seal(key: bytes, plaintext: bytes, aad: bytes) -> bytes:
    """`plaintext` under the school key (32 bytes): version, nonce, ChaCha20-Poly1305 (RFC 8439).

    `aad` ties it to its place (what it is, whose it is); opening needs the same. The cipher's key is derived
    from the school key and a salt (RFC 5869), so that random nonces never wear out.
    """
    nonce = secrets.token_bytes(_NONCE_BYTES + _SALT_BYTES)
    return _VERSION + nonce + _cipher(key, nonce).encrypt(nonce[:_NONCE_BYTES], plaintext, aad)


def open_sealed(key: bytes, sealed: bytes, aad: bytes) -> bytes:
    """What `seal` sealed. Raises `SealError`."""
    remedy = "Enrol the box again with a code of its own school."
    nonce, body = sealed[1 : 1 + _NONCE_BYTES + _SALT_BYTES], sealed[1 + _NONCE_BYTES + _SALT_BYTES :]
    if sealed[:1] != _VERSION or len(body) < _TAG_BYTES:
        raise SealError("These are not sealed names.", remedy=remedy)
    try:
        return _cipher(key, nonce).decrypt(nonce[:_NONCE_BYTES], body, aad)
    except InvalidTag as error:
        raise SealError("The sealed names cannot be opened with this school's key.", remedy=remedy) from error


def _cipher(key: bytes, nonce: bytes) -> ChaCha20Poly1305:
    return ChaCha20Poly1305(_derived(key, nonce[_NONCE_BYTES:]))


def _derived(key: bytes, salt: bytes) -> bytes:
    """HKDF-SHA256 (RFC 5869) of one block: 32 bytes. By hand, because a class report opens a hundred names."""
    return hmac.digest(hmac.digest(salt, key, "sha256"), _INFO + b"\x01", "sha256")
