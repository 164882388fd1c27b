"""PINs and codes: which are good enough, and what is kept of them.

scrypt of the standard library (RFC 7914): 16 MiB and about 50 ms a try here, 0.2 s on a small board (estimate), one
try at a time. A PIN of six digits is guarded by the limits on trying, not by its hash: whoever has the card has the
sheets too.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from itertools import pairwise

from homework.errors import UsageError

LEAST, MOST = 6, 64
_N, _R, _P = 2**14, 8, 1
_SALT_BYTES, _KEY_BYTES = 16, 32
_CODE_SIGNS = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
_ONE_AT_A_TIME = threading.Lock()
"""Each try takes 16 MiB: many at once must not take the memory that the grading needs."""


def checked_pin(text: str) -> str:
    """A PIN as it is kept: without blanks. Raises `UsageError` for one that is guessed first."""
    pin = "".join(text.split())
    if not LEAST <= len(pin) <= MOST:
        raise UsageError("A PIN has at least {least} digits.", remedy="Choose a longer one.", least=LEAST)
    steps = {ord(b) - ord(a) for a, b in pairwise(pin)}
    half = pin[: len(pin) // 2]
    if len(set(pin)) < 3 or steps in ({1}, {-1}) or pin == half * 2:
        raise UsageError(
            "This PIN is guessed first.", remedy="Choose one without a row, a repetition or a single digit."
        )
    return pin


def new_pin() -> str:
    """Six random digits that are good enough."""
    while True:
        pin = f"{secrets.randbelow(10**LEAST):0{LEAST}}"
        try:
            return checked_pin(pin)
        except UsageError:
            continue


def new_code() -> str:
    """A code to type once, 39 random bits without signs that look alike: `K7QP-M2XD`."""
    signs = "".join(secrets.choice(_CODE_SIGNS) for _ in range(8))
    return f"{signs[:4]}-{signs[4:]}"


def same_code(one: str, other: str) -> bool:
    """Whether two codes are the same, however they are written."""
    plain = ["".join(c for c in text.upper() if c in _CODE_SIGNS).encode() for text in (one, other)]
    return hmac.compare_digest(*plain)


def hashed(pin: str) -> str:
    """What is kept of a PIN."""
    salt = secrets.token_bytes(_SALT_BYTES)
    return f"scrypt${_N}${_R}${_P}${salt.hex()}${_key(pin, salt, _N, _R, _P).hex()}"


def matches(pin: str, kept: str | None) -> bool:
    """Whether this is the PIN. For nobody (None) it takes as long, so that names cannot be found out by the clock."""
    if kept is None:
        _key(pin, bytes(_SALT_BYTES), _N, _R, _P)
        return False
    _, n, r, p, salt, key = kept.split("$")
    return hmac.compare_digest(_key(pin, bytes.fromhex(salt), int(n), int(r), int(p)), bytes.fromhex(key))


def _key(pin: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    with _ONE_AT_A_TIME:
        return hashlib.scrypt(
            pin.encode("utf-8", "replace"), salt=salt, n=n, r=r, p=p, dklen=_KEY_BYTES, maxmem=64 * 1024**2
        )
