"""Tickets: what a page must remember until the same browser comes back, sealed so that nobody reads or makes one.

A ticket lies in a cookie or a form and not in the database, so every gateway of a district can open it, and one that
is never brought back leaves nothing behind.
"""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Callable
from typing import TypeVar

import msgspec

from gateway.keys import Vault
from homework.errors import ClassboxError

T = TypeVar("T", bound=msgspec.Struct)
LONGEST = 3800
"""Characters: with its name a cookie of 4,096 still fits, which is the least that browsers keep (RFC 6265, 6.1)."""


class Tickets:
    """Makes and reads tickets under the key of the gateway's vault."""

    def __init__(self, vault: Vault, *, now_s: Callable[[], float] = time.time) -> None:
        self._vault, self._now_s = vault, now_s

    def make(self, content: msgspec.Struct, *, purpose: str, lasts_s: int) -> str:
        """`content` as text for a cookie or a form; `purpose` is what it is for and whose it is."""
        body = msgspec.msgpack.encode((int(self._now_s()) + lasts_s, content))
        sealed = self._vault.seal(body, purpose=f"ticket {purpose}")
        return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()

    def read(self, ticket: str | None, kind: type[T], *, purpose: str) -> T | None:
        """What is in a ticket; None when it is forged, changed, too old, or was made for something else."""
        if not ticket or len(ticket) > LONGEST or not ticket.isascii():
            return None
        try:
            sealed = base64.b64decode(ticket + "=" * (-len(ticket) % 4), altchars=b"-_", validate=True)
            body = self._vault.open(sealed, purpose=f"ticket {purpose}")
            until_s, content = msgspec.msgpack.decode(body, type=tuple[int, kind])  # type: ignore[valid-type]
        except (binascii.Error, ClassboxError, msgspec.DecodeError):
            return None
        return content if self._now_s() < until_s else None
