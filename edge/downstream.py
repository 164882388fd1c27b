"""What came down from the school finds its place on the box: each kind of document has one that takes it.

A taker is called outside any transaction of the ledger, from one thread, and at times twice with the same (a kill in
between): the second time changes nothing.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import Protocol

from edge.database import DatabaseError
from edge.decoding import Pictures
from edge.document_file import DocumentsError
from edge.documents import Documents
from edge.erasing import ErasureTaker
from edge.ledger import Ledger
from edge.pictures import Pictures as Kept
from edge.school_absences import AbsenceTaker, Pseudonyms
from edge.school_corrections import CorrectionTaker
from edge.web.summary import REPORT_SETTING
from homework.assignment import assignment_to_toml, parse_assignment
from homework.errors import BadFileError, ClassboxError
from homework.layout import layout_from_json, layout_to_json
from homework.print_run import named_by_digest
from homework.report_settings import checked_settings, settings_to_json
from homework.roster import Roster, parse_roster, roster_to_csv
from sync.down_bodies import Kind, content_of, open_roster, sealed_content_of
from sync.downward import UnusableError

_NO_PUPILS = roster_to_csv(Roster(())).encode()
_PICTURES = frozenset({".png", ".tif", ".tiff", ".jpg", ".jpeg", ".webp", ".bmp"})


class Taker(Protocol):
    """Takes one kind of what comes down."""

    def content(self, key: str) -> bytes | None:
        """The content digest (`sync.down_bodies.content_of`) of what the box has of that key, None for nothing."""

    def take(self, key: str, body: bytes) -> None:
        """Keep it.

        Raises `DocumentsError` or `DatabaseError` when the disk does not take it: it is tried again. Any other
        `ClassboxError` says that it cannot be used.
        """


class Downstream:
    """All takers of a box by their kinds: the `sync.downward.Shelf` of a box."""

    def __init__(self, takers: Mapping[Kind, Taker]) -> None:
        self._takers = dict[str, Taker](takers.items())

    def content(self, kind: str, key: str) -> bytes | None:
        """What the box has of that kind and key. Raises `UnusableError` for a kind that nobody takes."""
        return self._taker(kind).content(key)

    def take(self, kind: str, key: str, body: bytes) -> None:
        """Give it to its taker. Raises `UnusableError` for what cannot be used."""
        try:
            self._taker(kind).take(key, body)
        except (DocumentsError, DatabaseError):
            raise
        except ClassboxError as error:
            raise UnusableError("{reason}", remedy=error.remedy, reason=error.message) from error

    def _taker(self, kind: str) -> Taker:
        if kind not in self._takers:
            raise UnusableError(
                "The school sent something ({kind}) that this version does not know.",
                remedy="Update Classbox.",
                kind=kind,
            )
        return self._takers[kind]


def shelf_of(
    documents: Documents,
    ledger: Ledger,
    school_key: bytes,
    pictures: Kept,
    *,
    on_change: Callable[[], None] = lambda: None,
) -> Downstream:
    """A box's shelf, for whatever way things come down. `on_change`: a sheet may say something else than before."""
    return Downstream(
        {
            **document_takers(documents, school_key),
            "correction": CorrectionTaker(ledger, on_change),
            "absence": AbsenceTaker(ledger, Pseudonyms(documents, school_key), on_change),
            "erasure": ErasureTaker(ledger, documents, pictures, school_key, on_change),
        }
    )


def document_takers(documents: Documents, school_key: bytes) -> dict[Kind, Taker]:
    """Who takes what lies among the box's documents."""
    return {
        "assignment": _Assignments(documents),
        "layout": _Layouts(documents),
        "reference": _References(documents),
        "roster": _Rosters(documents, school_key),
        "setting": _Settings(documents),
    }


class _Assignments:
    """Assignments, as TOML; keys are their ids."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def content(self, key: str) -> bytes | None:
        found = self._documents.assignment(key)
        return None if found is None else content_of(assignment_to_toml(found).encode())

    def take(self, key: str, body: bytes) -> None:
        assignment = parse_assignment(_text(body))
        _same_name(assignment.id, key)
        self._documents.put_assignment(assignment)


class _Layouts:
    """Layouts, as JSON; keys are their sheets. Pictures that they name come by themselves."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def content(self, key: str) -> bytes | None:
        found = self._documents.layout(key)
        return None if found is None else content_of(layout_to_json(found).encode())

    def take(self, key: str, body: bytes) -> None:
        layout = layout_from_json(body)
        _same_name(layout.sheet, key)
        self._documents.put_layout(layout)


class _References:
    """Pictures that layouts name; keys are the names of their files, which say what is in them."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def content(self, key: str) -> bytes | None:
        picture = self._documents.picture(key)
        return None if picture is None else content_of(picture)

    def take(self, key: str, body: bytes) -> None:
        if PurePath(key).suffix.lower() not in _PICTURES or named_by_digest(body, key) != key:
            raise BadFileError("This is not the picture that it is called.", remedy="Load it at the school again.")
        Pictures(io.BytesIO(body), name=key)
        self._documents.put_reference(key, body)


class _Rosters:
    """Class lists, as CSV sealed under the school key; keys are the names of classes."""

    def __init__(self, documents: Documents, school_key: bytes) -> None:
        self._documents, self._school_key = documents, school_key

    def content(self, key: str) -> bytes | None:
        pupils = self._documents.roster().of_class(key)
        if not pupils:
            return None
        return sealed_content_of(self._school_key, roster_to_csv(Roster(pupils=pupils)).encode())

    def take(self, key: str, body: bytes) -> None:
        csv = open_roster(self._school_key, key, body)
        if csv == _NO_PUPILS:  # all of them are in other classes now, or gone
            self._documents.put_class(key, ())
            return
        roster = parse_roster(csv)
        _same_name(", ".join(roster.classes()), key)
        self._documents.put_roster(roster)


class _Settings:
    """What a school decides for all its boxes; keys are names of settings."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def content(self, key: str) -> bytes | None:
        kept = self._documents.setting(_known_setting(key))
        return None if kept is None else content_of(kept.encode())

    def take(self, key: str, body: bytes) -> None:
        self._documents.put_setting(_known_setting(key), settings_to_json(checked_settings(_text(body))))


def _known_setting(key: str) -> str:
    if key != REPORT_SETTING:
        raise UnusableError(
            "The school sent a setting ({key}) that this version does not know.", remedy="Update Classbox.", key=key
        )
    return REPORT_SETTING


def _same_name(found: str, key: str) -> None:
    if found != key:
        raise BadFileError(
            "“{found}” came from the school under the name of “{key}”.",
            remedy="Load it at the school again.",
            found=found,
            key=key,
        )


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise BadFileError("This is no text.", remedy="Load it at the school again.") from error
