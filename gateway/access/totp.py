"""The second factor: six digits of a phone, each good once (TOTP, RFC 6238), and codes on paper for a lost phone.

Pure: what the database keeps of it is in `gateway/access/factors.py`. pyotp remembers nothing, so the caller hands in
the step that was used last and stores the one that comes back (RFC 6238, 5.2: a code must not be accepted twice).
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import unicodedata
from typing import Final

import pyotp
import segno
from pyotp.exceptions import OTPVerificationError

from homework.errors import one_line

DIGITS: Final = 6
RECOVERY_CODES: Final = 10
_SECRET_CHARACTERS: Final = 32
"""Base32, 160 bits: as long as the HMAC's digest, which RFC 4226 (4, R6) recommends."""
_RECOVERY_BYTES: Final = 10
"""80 random bits, 16 letters: too many to try, so one round of SHA-256 keeps them."""
_WINDOW: Final = 1
"""Steps of 30 s that a phone's clock may be off, and that a code may be on its way."""


def new_secret() -> str:
    """A secret for a phone, base32."""
    return pyotp.random_base32(_SECRET_CHARACTERS)


def enrolment_address(secret: str, *, login: str, title: str) -> str:
    """`otpauth://…` as the apps read it from a QR code. `title` names the place, `login` the person there."""
    return pyotp.TOTP(secret).provisioning_uri(
        name=one_line(login, limit=64), issuer_name=one_line(title, limit=64).replace(":", " ")
    )


def qr_picture(text: str) -> str:
    """`text` as a QR code, a `data:` address of an SVG picture: dark on light in every colour scheme."""
    return segno.make(text, error="m", micro=False).svg_data_uri(
        border=4, dark="#000000", light="#ffffff", omitsize=True, svgclass=None, lineclass=None
    )


def spelled(secret: str) -> str:
    """The secret in groups of four, to be typed where no camera is."""
    return _in_fours(secret)


def matched_step(secret: str, code: str, *, now_s: float, last_step: int | None) -> int | None:
    """The 30-second step that `code` is right for; None when it is wrong, or its step is not after `last_step`."""
    digits = _plain(code)
    if len(digits) != DIGITS or not (digits.isascii() and digits.isdigit()):
        return None
    try:
        step = pyotp.TOTP(secret).verify_and_get_timecode(digits, for_time=now_s, valid_window=_WINDOW)
    except OTPVerificationError:
        return None
    return step if last_step is None or step > last_step else None


def new_recovery_codes() -> tuple[str, ...]:
    """Codes to print and put away, each good once; `ABCD-EFGH-IJKL-MNOP`."""
    return tuple(
        _in_fours(base64.b32encode(secrets.token_bytes(_RECOVERY_BYTES)).decode(), "-") for _ in range(RECOVERY_CODES)
    )


def recovery_digest(code: str) -> bytes | None:
    """What is kept of a recovery code, 32 bytes, however it was typed; None for what can be none.

    0, 1 and 8 are in no such code (RFC 4648, 6): they are read as the letters that they were mistaken for.
    """
    letters = _plain(code).upper().translate(_MISTAKEN)
    if len(letters) != 16 or not (letters.isascii() and letters.isalnum()):
        return None
    return hashlib.sha256(letters.encode()).digest()


_MISTAKEN: Final = str.maketrans("018", "OIB")


def _plain(code: str) -> str:
    """Without what people and keyboards put between: spaces and dashes, full-width digits and letters."""
    text = unicodedata.normalize("NFKC", code[:100])
    return "".join(c for c in text if not c.isspace() and c not in "-–—‐‑·.")


def _in_fours(text: str, between: str = " ") -> str:
    return between.join(text[i : i + 4] for i in range(0, len(text), 4))
