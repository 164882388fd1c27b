"""The school erases a pupil: what takes the kind "erasure" of what comes down to a box."""

from __future__ import annotations

from collections.abc import Callable

from edge.documents import Documents
from edge.ledger import Ledger
from edge.pictures import Pictures
from homework.roster import Pupil
from sync.clock import SystemClock
from sync.down_bodies import content_of, read_erasure
from sync.downward import UnusableError
from sync.errors import MalformedRecord
from sync.pseudonym import pseudonym


class ErasureTaker:
    """Takes erasures (`edge.downstream.Taker`); the key of one is the pupil's pseudonym in hexadecimal digits.

    First the class lists, then the ledger in one transaction, which also remembers that it was done, then the pictures'
    files: killed in between, it is done again, and the start removes what files are left.
    """

    def __init__(
        self,
        ledger: Ledger,
        documents: Documents,
        pictures: Pictures,
        school_key: bytes,
        on_change: Callable[[], None],
    ) -> None:
        """`on_change` hears that sheets and class lists may say something else than before."""
        self._ledger, self._documents, self._pictures = ledger, documents, pictures
        self._school_key = school_key
        self._on_change = on_change

    def content(self, key: str) -> bytes | None:
        """The content digest of the erasure that was done last of that pupil, None for none."""
        return self._ledger.erased_content(key)

    def take(self, key: str, body: bytes) -> None:
        """Erase. Raises `UnusableError` for what is no erasure, `DatabaseError` and `DocumentsError`."""
        try:
            erasure = read_erasure(body)
        except MalformedRecord as error:
            raise _unusable(error.message) from error
        if erasure.pseudonym.hex() != key:
            raise _unusable("it is not the one that it is called")

        def is_theirs(pupil: Pupil) -> bool:
            return pseudonym(self._school_key, pupil.pupil_id) == erasure.pseudonym

        self._documents.forget(is_theirs)
        digests = self._ledger.erase_pupil(
            erasure.pseudonym, erasure.captures, content=content_of(body), now=SystemClock().read()
        )
        self._pictures.remove(digests)
        self._on_change()


def _unusable(reason: str) -> UnusableError:
    return UnusableError(
        "An erasure from the school cannot be used: {reason}.", remedy="Update Classbox.", reason=reason
    )
