"""What a box tells: a page, a document, a sign of health, what it has of a class, a person's word, a crop.

A record is a MessagePack array that starts with its kind and version. Fields are only ever appended (with a
default); any other change is a new version. A kind or version that is not known raises `FutureVersion`, and
the gateway holds such a record. Every length has a limit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, NamedTuple, TypeVar

import msgspec
from msgspec import Meta

from homework.absences import Absence
from homework.merging import MOST_NAMED
from homework.results import Doubt, ItemResult, MarkKind, PageRecord, Reading, Stamp, TeacherMark, Verdict, VerdictKind
from sync.clock import ClockReading
from sync.errors import DECODING, FutureVersion, MalformedRecord
from sync.pseudonym import PSEUDONYM_BYTES, pseudonym

MAX_FIELDS = 400
MAX_READING = 64
MAX_PLACES = 1000
MAX_SETTLED = 255
MAX_SEALED = 2048
SETTLED_BYTES = 8
"""Of a correction's id, where a page says which it accounts for. Two of a page share them by a chance of 10⁻¹⁵."""
MAX_DOCUMENT_BYTES = 1 << 20
CROP_KIND = 6
ABSENCE_KIND = 7
MAX_CROP_BYTES = 64 << 10
MAX_RECORD_BYTES = MAX_DOCUMENT_BYTES + 1024

NEWEST: Mapping[int, int] = {1: 1, 2: 1, 3: 1, 4: 1, 5: 1, 6: 1, 7: 1}
"""The newest version of each kind of record that is read here."""

Digest = Annotated[bytes, Meta(min_length=16, max_length=16)]
Pseudonym = Annotated[bytes, Meta(min_length=PSEUDONYM_BYTES, max_length=16)]
Name = Annotated[str, Meta(max_length=64)]
Hundredths = Annotated[int, Meta(ge=0, lt=2**31)]
Small = Annotated[int, Meta(ge=0, le=255)]
Seat = Annotated[int, Meta(ge=0, lt=1000)]
Pages = Annotated[int, Meta(ge=0, lt=2**31)]
CutId = Annotated[bytes, Meta(min_length=SETTLED_BYTES, max_length=SETTLED_BYTES)]
ShortText = Annotated[str, Meta(max_length=MAX_READING)]

VERDICT_CODES: tuple[VerdictKind, ...] = (
    VerdictKind.READ,
    VerdictKind.CORRECT,
    VerdictKind.WRONG,
    VerdictKind.BLANK,
    VerdictKind.REVIEW,
)
"""A verdict's code on the wire is its place here; only ever appended to."""
DOUBT_CODES: tuple[Doubt | None, ...] = (
    None,
    Doubt.UNSURE,
    Doubt.INK_BESIDE,
    Doubt.TWO_MARKS,
    Doubt.FAINT_MARK,
    Doubt.CANCELLED,
    Doubt.NOT_HANDWRITING,
    Doubt.NOT_A_NUMBER,
    Doubt.FOR_THE_TEACHER,
    Doubt.MIXED_INKS,
)
"""A doubt's code on the wire is its place here; only ever appended to."""
MARK_CODES: tuple[MarkKind, ...] = (
    MarkKind.TICK,
    MarkKind.HALF,
    MarkKind.CROSS,
    MarkKind.SLASH,
    MarkKind.RING,
    MarkKind.DOT,
    MarkKind.SCORE,
    MarkKind.UNCLEAR,
)
"""A teacher's mark's code on the wire is its place here; only ever appended to."""

STAMP_CODES: tuple[Stamp | None, ...] = (None, Stamp.EXCELLENT, Stamp.GOOD, Stamp.SEEN, Stamp.KEEP_GOING)
"""A stamp's code on the wire is its place here; only ever appended to."""

ABSENCE_CODES: tuple[Absence | None, ...] = (None, Absence.EXCUSED, Absence.EXEMPT)
"""The code on the wire of what is said of a pupil's absence is its place here; only ever appended to."""


class FieldName(NamedTuple):
    """What one packed item is called. The names of a page travel once, in its layout."""

    item: str
    blank: int
    kind: str


class PackedItem(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One field of a page: codes of `VERDICT_CODES` and `DOUBT_CODES`, confidence as 0 to 255."""

    verdict: Annotated[int, Meta(ge=0, lt=len(VERDICT_CODES))]
    score_hundredths: Hundredths | None
    reading: Annotated[str, Meta(max_length=MAX_READING)] | None
    confidence: Small
    doubt: Annotated[int, Meta(ge=0, lt=len(DOUBT_CODES))]


class PackedMark(msgspec.Struct, frozen=True, array_like=True):
    """A teacher's mark at the field in that place of `items`, from 0.

    `mark` is a code of `MARK_CODES`; `own` is the code of the box's own verdict, where the mark led to another.
    """

    place: Annotated[int, Meta(ge=0, lt=MAX_FIELDS)]
    mark: Annotated[int, Meta(ge=0, lt=len(MARK_CODES))]
    sure: bool
    score_hundredths: Hundredths | None
    stroke: Annotated[int, Meta(ge=0, lt=2**16)]
    own: Annotated[int, Meta(ge=0, lt=len(VERDICT_CODES))] | None


class PageResult(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """One graded page (lane `results`).

    `capture` is the digest of the picture, the identity of the page across epochs and boxes: a gateway counts
    one record a capture, that of the greatest `revision` (from 1). `pseudonym` is None when nobody knows whose
    page it is. `items` stand in the order of the layout's fields of that page. Scores are hundredths.
    """

    # What differs from page to page stands together, and then what a class shares: it compresses better.
    kind: Literal[1] = 1
    version: Literal[1] = 1
    capture: Digest
    pseudonym: Pseudonym | None
    seat: Seat | None
    clock: ClockReading
    assignment: Name | None
    sheet: Name
    page: Small
    attempt: Small
    revision: Annotated[int, Meta(ge=1, lt=2**31)]
    class_name: Name | None
    max_score_hundredths: Hundredths | None
    score_hundredths: Hundredths | None
    pending: Annotated[int, Meta(ge=0, le=MAX_FIELDS)]
    duplicate_of: Digest | None
    problems: Annotated[tuple[Name, ...], Meta(max_length=16)]
    items: Annotated[tuple[PackedItem, ...], Meta(max_length=MAX_FIELDS)]
    marks: Annotated[tuple[PackedMark, ...], Meta(max_length=MAX_FIELDS)] = ()
    settled: Annotated[tuple[CutId, ...], Meta(max_length=MAX_SETTLED)] = ()
    """The corrections that this revision accounts for, by the beginnings of their ids."""


class DocumentRecord(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A document that the box holds (lane `documents`), so that the gateway can name what it receives.

    `body` is UTF-8: the assignment's TOML, the layout's JSON; for `roster-sealed` the CSV under the school key; for
    `reference` (since 0.1) the file of the picture that a layout names.
    `digest` is BLAKE2b-128 of the body.
    """

    kind: Literal[2] = 2
    version: Literal[1] = 1
    document: Literal["assignment", "layout", "roster-sealed", "reference"]
    id: Name
    digest: Digest
    body: Annotated[bytes, Meta(max_length=MAX_DOCUMENT_BYTES)]


class HealthRecord(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """How the box is (lane `health`): free space, temperature (None where there is no sensor), waiting records."""

    kind: Literal[3] = 3
    version: Literal[1] = 1
    clock: ClockReading
    software: Name
    free_mb: Annotated[int, Meta(ge=0, lt=2**40)]
    temperature_c: Annotated[int, Meta(ge=-60, le=200)] | None
    waiting: Annotated[int, Meta(ge=0, lt=2**40)]


class Tally(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What a box has of one class and one homework (lane `health`), so that the school can name what is missing.

    Pages are counted (`homework.accounts`); `places` are seat and page of each that counts as a first attempt.
    `expected` is None without a class list. Of two of a box, the one said later stands.
    """

    kind: Literal[4] = 4
    version: Literal[1] = 1
    clock: ClockReading
    assignment: Name
    class_name: Name
    expected: Pages | None
    slid: Pages
    corrections: Pages
    twice: Pages
    asked: Pages
    not_graded: Pages
    withdrawn: Pages
    places: Annotated[tuple[tuple[Seat, Small], ...], Meta(max_length=MAX_PLACES)]


class CropRecord(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """The picture of one field that waits for a person's look (lane `crops`).

    `sealed` is a WebP of the field and some paper round it under the school key, tied by `crop_place` to the capture
    and the field. Of two of a field that of the greater `revision` stands: the page's, when the picture was cut.
    """

    kind: Literal[6] = 6
    version: Literal[1] = 1
    capture: Digest
    item: Name
    blank: Small
    revision: Annotated[int, Meta(ge=1, lt=2**31)]
    sealed: Annotated[bytes, Meta(max_length=MAX_CROP_BYTES)]


def crop_place(capture: bytes, item: str, blank: int) -> bytes:
    """What a sealed crop is tied to, so that nobody can show it as another field's."""
    return b"crop\0" + capture + f"{blank}\0{item}".encode()


class PackedJudgement(msgspec.Struct, frozen=True, array_like=True):
    """What a correction says of the answer (`homework.merging.Judgement`)."""

    text: ShortText | None
    right: bool | None
    score_hundredths: Hundredths | None


class PackedReading(msgspec.Struct, frozen=True, array_like=True):
    """A reading as in `PackedItem`."""

    text: ShortText | None
    confidence: Small
    doubt: Annotated[int, Meta(ge=0, lt=len(DOUBT_CODES))]


class CorrectionRecord(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A person's word on one field of a page (lane `results` on its way up); `sync.corrections` makes and reads it.

    `capture`, `item` and `blank` say of which field. Of judgement and stamp (a code of `STAMP_CODES`) None says
    nothing. `sealed` has under the school key who said it, and the comment. `revision` is the page's that the person
    saw, `replaces` the corrections of the field that were known then. On its way down the gateway adds its `order`
    among the school's corrections, and the `origin`: the box that it came from, "" for the school itself.
    """

    kind: Literal[5] = 5
    version: Literal[1] = 1
    id: Digest
    capture: Digest
    item: Name
    blank: Small
    judgement: PackedJudgement | None
    stamp: Annotated[int, Meta(ge=0, lt=len(STAMP_CODES))] | None
    sealed: Annotated[bytes, Meta(max_length=MAX_SEALED)] | None
    read: PackedReading | None
    revision: Annotated[int, Meta(ge=0, lt=2**31)]
    replaces: Annotated[tuple[Digest, ...], Meta(max_length=MOST_NAMED)]
    clock: ClockReading
    order: Annotated[int, Meta(ge=1, lt=2**53)] | None = None
    origin: Name | None = None


class AbsenceRecord(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A person's word that a pupil's sheet is not to come, or is (lane `results`); `sync.absences` makes and reads it.

    `absence` is a code of `ABSENCE_CODES`. `sealed` has under the school key who said it, `replaces` names the words on
    the same pupil and assignment that were known then. On its way down the gateway adds its `order` among the school's
    words on absences, and the `origin`: the box that it came from, "" for the school itself.
    """

    kind: Literal[7] = 7
    version: Literal[1] = 1
    id: Digest
    assignment: Name
    pseudonym: Pseudonym
    absence: Annotated[int, Meta(ge=0, lt=len(ABSENCE_CODES))]
    sealed: Annotated[bytes, Meta(max_length=MAX_SEALED)] | None
    replaces: Annotated[tuple[Digest, ...], Meta(max_length=MOST_NAMED)]
    clock: ClockReading
    order: Annotated[int, Meta(ge=1, lt=2**53)] | None = None
    origin: Name | None = None


Record = PageResult | DocumentRecord | HealthRecord | Tally | CorrectionRecord | CropRecord | AbsenceRecord


class _Head(msgspec.Struct, array_like=True):
    kind: int
    version: int


_encoder = msgspec.msgpack.Encoder()
_head = msgspec.msgpack.Decoder(_Head)
_PAGE_HEAD = b"\xdc\x00" + bytes([len(PageResult.__struct_fields__), 1, 1])
"""How the record of a page begins that has just the fields that are known here: an array of so many, kind, version."""
_page_result = msgspec.msgpack.Decoder(PageResult)
_document = msgspec.msgpack.Decoder(DocumentRecord)
_health = msgspec.msgpack.Decoder(HealthRecord)
_tally = msgspec.msgpack.Decoder(Tally)
_crop = msgspec.msgpack.Decoder(CropRecord)
_correction = msgspec.msgpack.Decoder(CorrectionRecord)
_absence = msgspec.msgpack.Decoder(AbsenceRecord)

T = TypeVar("T")


def encode_record(record: Record) -> bytes:
    """The payload to append to the outbox."""
    return _encoder.encode(record)


def decode_record(payload: bytes) -> Record:
    """The record that a payload holds.

    Raises `FutureVersion` for a kind or version not known here and `MalformedRecord` for one that breaks its
    own rules. The gateway holds both: the bytes are stored as they are until somebody decides.
    """
    if len(payload) > MAX_RECORD_BYTES:
        raise MalformedRecord(f"it has {len(payload)} bytes")
    try:
        if payload.startswith(_PAGE_HEAD):  # nearly all are
            return _page_result.decode(payload)
        head = _head.decode(payload)
        match (head.kind, head.version):
            case (1, 1):
                return _page_result.decode(payload)
            case (2, 1):
                return _document.decode(payload)
            case (3, 1):
                return _health.decode(payload)
            case (4, 1):
                return _tally.decode(payload)
            case (6, 1):
                return _crop.decode(payload)
            case (5, 1):
                return _correction.decode(payload)
            case (7, 1):
                return _absence.decode(payload)
    except DECODING as error:
        raise MalformedRecord(str(error)) from error
    if head.kind in NEWEST and head.version < 1:
        raise MalformedRecord(f"version {head.version}")
    raise FutureVersion("record", head.version)


def page_result_from(
    record: PageRecord,
    *,
    capture: bytes,
    clock: ClockReading,
    school_key: bytes | None,
    revision: int = 1,
    duplicate_of: bytes | None = None,
    settled: Sequence[bytes] = (),
) -> PageResult:
    """The record of a graded page as it travels.

    `capture` and `duplicate_of` are 16-byte digests of pictures. Without a school key no pseudonym can be
    made; class and seat still name the pupil to a gateway with the roster. `record.items` must stand in the
    layout's order. Readings longer than 64 characters are cut; candidates stay on the box. `settled` are the ids
    of the corrections that the page accounts for.
    """
    who = record.who
    known = school_key is not None and who.pupil is not None
    return PageResult(
        capture=capture,
        pseudonym=pseudonym(school_key, who.pupil) if known and school_key and who.pupil else None,
        seat=who.seat,
        clock=clock,
        assignment=record.assignment,
        sheet=record.sheet,
        page=record.page,
        attempt=record.attempt,
        revision=revision,
        class_name=who.class_name,
        max_score_hundredths=record.max_score_hundredths,
        score_hundredths=record.score_hundredths,
        pending=record.pending,
        duplicate_of=duplicate_of,
        problems=tuple(p.code for p in record.problems[:16]),
        items=tuple(pack_item(item) for item in record.items),
        marks=tuple(
            _pack_mark(place, item.mark, item.own) for place, item in enumerate(record.items) if item.mark is not None
        ),
        settled=tuple(name[:SETTLED_BYTES] for name in settled[:MAX_SETTLED]),
    )


def items_from(result: PageResult, names: Sequence[FieldName]) -> tuple[ItemResult, ...]:
    """The page's items under their names, which are those of the layout's fields of that page, in order.

    Raises `MalformedRecord` when the layout has another number of fields than the record.
    """
    if len(names) != len(result.items):
        raise MalformedRecord(f"{len(result.items)} items for {len(names)} fields")
    marks = {mark.place: mark for mark in result.marks}
    return tuple(
        unpack_item(item, name, marks.get(place))
        for place, (item, name) in enumerate(zip(result.items, names, strict=True))
    )


def field_names(record: PageRecord) -> tuple[FieldName, ...]:
    """The names that `items_from` needs, as a page record itself has them."""
    return tuple(FieldName(i.item, i.blank, i.kind) for i in record.items)


def pack_item(item: ItemResult) -> PackedItem:
    """A field as it travels and as the gateway keeps it."""
    text = item.reading.text
    return PackedItem(
        verdict=VERDICT_CODES.index(item.verdict.kind),
        score_hundredths=item.verdict.score_hundredths,
        reading=None if text is None else text[:MAX_READING],
        confidence=round(min(1.0, max(0.0, item.reading.confidence)) * 255),
        doubt=DOUBT_CODES.index(item.reading.doubt),
    )


def _pack_mark(place: int, mark: TeacherMark, own: VerdictKind | None) -> PackedMark:
    return PackedMark(
        place=place,
        mark=MARK_CODES.index(mark.kind),
        sure=mark.sure,
        score_hundredths=mark.score_hundredths,
        stroke=mark.stroke,
        own=VERDICT_CODES.index(own) if own is not None else None,
    )


def unpack_item(item: PackedItem, name: FieldName, mark: PackedMark | None = None) -> ItemResult:
    """The field that was packed, under its name, with the teacher's mark at it."""
    return ItemResult(
        item=name.item,
        blank=name.blank,
        kind=name.kind,
        reading=Reading(item.reading, item.confidence / 255, DOUBT_CODES[item.doubt]),
        verdict=Verdict(VERDICT_CODES[item.verdict], item.score_hundredths),
        mark=TeacherMark(MARK_CODES[mark.mark], mark.sure, mark.score_hundredths, mark.stroke) if mark else None,
        own=VERDICT_CODES[mark.own] if mark is not None and mark.own is not None else None,
    )
