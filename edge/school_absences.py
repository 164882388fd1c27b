"""The school's words on absences find their seats: what takes the kind "absence" of what comes down."""

from __future__ import annotations

from collections.abc import Callable

from edge.documents import Documents
from edge.ledger import Ledger
from homework.roster import Roster
from sync.down_bodies import content_of
from sync.downward import UnusableError
from sync.errors import FutureVersion, MalformedRecord
from sync.pseudonym import pseudonym
from sync.records import AbsenceRecord, decode_record


class Pseudonyms:
    """Who has which pseudonym, by the class lists as they are at the moment. For any thread."""

    def __init__(self, documents: Documents, school_key: bytes) -> None:
        self._documents, self._school_key = documents, school_key
        self._known: tuple[Roster, dict[bytes, str]] | None = None

    def pupil(self, alias: bytes) -> str | None:
        """The pupil of that pseudonym, None for one who is on no class list here."""
        roster, known = self._documents.roster(), self._known
        if known is None or known[0] is not roster:
            by_alias = {pseudonym(self._school_key, pupil.pupil_id): pupil.pupil_id for pupil in roster.pupils}
            self._known = known = (roster, by_alias)
        return known[1].get(alias)


class AbsenceTaker:
    """Takes words on absences (`edge.downstream.Taker`); the key of one is its id in hexadecimal digits."""

    def __init__(self, ledger: Ledger, pseudonyms: Pseudonyms, on_change: Callable[[], None]) -> None:
        """`on_change` hears that a seat may say something else than before."""
        self._ledger, self._pseudonyms, self._on_change = ledger, pseudonyms, on_change

    def content(self, key: str) -> bytes | None:
        """The content digest of that word as the box has it, None for none."""
        try:
            body = self._ledger.absence_body(bytes.fromhex(key))
        except ValueError:
            return None
        return None if body is None else content_of(body)

    def take(self, key: str, body: bytes) -> None:
        """Keep it, and let its pupil's seat account for it. Raises `UnusableError` for what is no such word to this
        version, and `DatabaseError`.
        """
        try:
            record = decode_record(body)
        except (FutureVersion, MalformedRecord) as error:
            raise _unusable(error.message) from error
        if not isinstance(record, AbsenceRecord) or record.id.hex() != key:
            raise _unusable("it is not the one that it is called")
        if self._ledger.take_absence(record, self._pseudonyms.pupil):
            self._on_change()


class Absences:
    """Looks after words that wait: for their pupil, or for a school that takes them. `look` is for one thread."""

    def __init__(
        self,
        ledger: Ledger,
        documents: Documents,
        pseudonyms: Pseudonyms,
        *,
        on_news: Callable[[], None],
        on_change: Callable[[], None],
    ) -> None:
        """`on_news` hears that something waits for the school, `on_change` that a seat says something else."""
        self._ledger, self._documents, self._pseudonyms = ledger, documents, pseudonyms
        self._on_news, self._on_change = on_news, on_change
        self._seen: Roster | None = None

    def look(self, _ending: Callable[[], bool]) -> None:
        """Do what can be done by now."""
        if self._ledger.queue_absences():
            self._on_news()
        roster = self._documents.roster()
        if roster is not self._seen:
            if self._ledger.settle_absences(self._pseudonyms.pupil):
                self._on_change()
            self._seen = roster


def _unusable(reason: str) -> UnusableError:
    return UnusableError(
        "A word on an absence from the school cannot be used: {reason}.", remedy="Update Classbox.", reason=reason
    )
