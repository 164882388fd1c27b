"""The school's corrections find their sheets: what takes the kind "correction" of what comes down."""

from __future__ import annotations

from collections.abc import Callable

from edge.ledger import Ledger
from sync.down_bodies import content_of
from sync.downward import UnusableError
from sync.errors import FutureVersion, MalformedRecord
from sync.records import CorrectionRecord, decode_record


class CorrectionTaker:
    """Takes corrections (`edge.downstream.Taker`); the key of one is its id in hexadecimal digits."""

    def __init__(self, ledger: Ledger, on_change: Callable[[], None]) -> None:
        """`on_change` hears that a sheet may say something else than before."""
        self._ledger = ledger
        self._on_change = on_change

    def content(self, key: str) -> bytes | None:
        """The content digest of that correction as the box has it, None for none."""
        try:
            body = self._ledger.correction_body(bytes.fromhex(key))
        except ValueError:
            return None
        return None if body is None else content_of(body)

    def take(self, key: str, body: bytes) -> None:
        """Keep it, and let its sheet account for it. Raises `UnusableError` for what is no correction to this version,
        and `DatabaseError`.
        """
        try:
            record = decode_record(body)
        except (FutureVersion, MalformedRecord) as error:
            raise _unusable(error.message) from error
        if not isinstance(record, CorrectionRecord) or record.id.hex() != key:
            raise _unusable("it is not the one that it is called")
        if self._ledger.take_correction(record):
            self._on_change()


def _unusable(reason: str) -> UnusableError:
    return UnusableError(
        "A correction from the school cannot be used: {reason}.", remedy="Update Classbox.", reason=reason
    )
