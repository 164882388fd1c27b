"""Lists in parts: a cursor says where the next part begins (RFC 8288: also as a Link header)."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from gateway.api.problems import NotAcceptedError

C = TypeVar("C")
MOST, USUAL = 200, 50
_LONGEST = 400


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which part of a list is asked for."""

    limit: Annotated[int, Meta(ge=1, le=MOST, description="At most so many entries.")] = USUAL
    after: (
        Annotated[
            str, Meta(max_length=_LONGEST, description="The `next` of the part before; without it the first part.")
        ]
        | None
    ) = None


def cursor_of(place: object) -> str:
    """A place in a list as text for an address: opaque to whoever gets it, and of no secret."""
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(place)).rstrip(b"=").decode()


def place_of_cursor(cursor: str | None, kind: type[C]) -> C | None:
    """The place that a cursor names; None for none. Raises `NotAcceptedError` for one that we did not make."""
    if cursor is None:
        return None
    try:
        body = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        return msgspec.msgpack.decode(body, type=kind)
    except (binascii.Error, msgspec.DecodeError, ValueError) as error:
        raise NotAcceptedError(
            "“after” is no place in this list.", remedy="Send the `next` of the part before it."
        ) from error
