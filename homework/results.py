"""What comes out of a page: readings, verdicts, item results and the record of the page.

Every score is in **hundredths of a point**, an integer, so that sums never drift; `points()` turns one into
the number that people see.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec


class VerdictKind(StrEnum):
    """What is said of one field. `READ` is for pages without an assignment: read, not judged."""

    CORRECT = "correct"
    WRONG = "wrong"
    BLANK = "blank"
    REVIEW = "review"
    READ = "read"


class PageStatus(StrEnum):
    """How far the box got with a picture of a page."""

    GRADED = "graded"
    UNKNOWN_SHEET = "unknown-sheet"
    WRONG_ASSIGNMENT = "wrong-assignment"
    UNREADABLE = "unreadable"
    NOT_A_SHEET = "not-a-sheet"


class Doubt(StrEnum):
    """Why a reading is not to be trusted without a person's look."""

    UNSURE = "unsure"
    INK_BESIDE = "ink-beside"
    TWO_MARKS = "two-marks"
    FAINT_MARK = "faint-mark"
    CANCELLED = "cancelled"
    NOT_HANDWRITING = "not-handwriting"
    NOT_A_NUMBER = "not-a-number"
    FOR_THE_TEACHER = "for-the-teacher"
    MIXED_INKS = "mixed-inks"


class Candidate(msgspec.Struct, frozen=True, gc=False):
    """One thing that the ink may say, with its calibrated probability in 0..1."""

    text: str
    confidence: float


class Reading(msgspec.Struct, frozen=True, gc=False):
    """What stands on the paper in one field, in canonical text; the answer key never steers it.

    `text` is `""` when nothing was written and `None` when it cannot be read. `confidence` is the calibrated
    probability that `text` is right. `doubt`, when set, sends the field to review whatever the text.
    `candidates` are the likeliest texts, best first, for the person who reviews.
    """

    text: str | None
    confidence: float
    doubt: Doubt | None = None
    candidates: tuple[Candidate, ...] = ()


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """The judgement of one field: its kind and what it earns, in hundredths.

    The score is None when none is given: in review, read but not judged, or blank in a B or C item that the
    pupil left alone.
    """

    kind: VerdictKind
    score_hundredths: int | None


class MarkKind(StrEnum):
    """What the teacher's pen left at a field. `SCORE` is a number in the score box."""

    TICK = "tick"
    HALF = "half"
    CROSS = "cross"
    SLASH = "slash"
    RING = "ring"
    DOT = "dot"
    SCORE = "score"
    UNCLEAR = "unclear"


class TeacherMark(msgspec.Struct, frozen=True, gc=False):
    """A mark of the teacher's that belongs to a field.

    `sure`: both what it is and that it is meant for this field are beyond doubt. `stroke` numbers the marks of a page
    from 1: one tick over a whole section stands at each of its fields.
    """

    kind: MarkKind
    sure: bool
    score_hundredths: int | None = None
    stroke: int = 0


class Stamp(StrEnum):
    """What a teacher stamps beside an answer: 优, 良, 阅, 加油."""

    EXCELLENT = "excellent"
    GOOD = "good"
    SEEN = "seen"
    KEEP_GOING = "keep-going"


class Said(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """A person's word on one field; `read` is what the box had read, so that nothing is lost when it is taken back.

    `text` is what stands on the paper, in the person's eyes: the key judges it as it judges a reading. `right` judges
    the field itself and earns all of it or nothing, `score_hundredths` earns so much: both stand whatever the key says.
    """

    read: Reading
    text: str | None = None
    right: bool | None = None
    score_hundredths: int | None = None
    comment: str = ""
    stamp: Stamp | None = None

    @property
    def rules(self) -> bool:
        """Whether it judges the field itself, so that the key does not."""
        return self.right is not None or self.score_hundredths is not None


class ItemResult(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One field of a graded page: `item` and `blank` name it (`blank` counts from 1).

    `mark` is the teacher's, where she left one on the paper: it counts (`homework.marks`). `own` is what the box would
    have said, where that is something else. `said` is what a person said of it since; then `reading` is the person's.
    """

    item: str
    blank: int
    kind: str
    reading: Reading
    verdict: Verdict
    mark: TeacherMark | None = None
    own: VerdictKind | None = None
    said: Said | None = None

    @property
    def read(self) -> Reading:
        """What the box read, whatever a person said since."""
        return self.reading if self.said is None else self.said.read


class Problem(msgspec.Struct, frozen=True, gc=False):
    """Something that a teacher should know about a page: a stable code, and an English sentence to translate."""

    code: str
    message: str


class WhoWroteIt(msgspec.Struct, frozen=True, gc=False):
    """Whose page it is, as far as the page tells. `confidence` is of the pupil or seat, 1.0 when printed."""

    class_name: str | None = None
    seat: int | None = None
    pupil: str | None = None
    confidence: float = 0.0


class PageRecord(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One graded page. Immutable; a later look at the same page makes a new record.

    `page` counts from 1. `score_hundredths` sums the fields that count; `max_score_hundredths` is what the
    page could earn (an unattempted B or C item is left out of both). Both are None when the page was read
    and not judged: without an assignment, or with another one. `pending` is the number of fields in review.
    """

    sheet: str
    assignment: str | None
    page: int
    who: WhoWroteIt
    items: tuple[ItemResult, ...]
    score_hundredths: int | None
    max_score_hundredths: int | None
    pending: int
    attempt: int = 1
    problems: tuple[Problem, ...] = ()


class Submission(msgspec.Struct, frozen=True, gc=False):
    """A pupil's current pages for one assignment and attempt, in page order."""

    assignment: str
    pupil: str
    attempt: int
    pages: tuple[PageRecord, ...]


def points(hundredths: int | None) -> int | float | None:
    """Hundredths as the number a person writes: 1700 → 17, 1750 → 17.5, None → None."""
    if hundredths is None:
        return None
    whole, rest = divmod(hundredths, 100)
    return whole if rest == 0 else hundredths / 100
