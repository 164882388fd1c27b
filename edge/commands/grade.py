"""`classbox grade PATH...`: pictures, scans, folders and videos to verdicts; needs no service."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import cv2

from edge.annotate import annotate
from edge.batch import Batch
from edge.frames import Capture
from edge.nearby import Shelves, open_shelves
from edge.picture_files import captures_in, files_of
from edge.pipeline import GradedPage, grade_capture
from edge.reading.recogniser import Recogniser
from homework.errors import ClassboxError
from homework.results import PageStatus, Problem, VerdictKind, points
from homework.roster import Roster
from models.recognisers import Recognisers
from ui.language import terminal_language, translator
from ui.terminal import progress, say_error

NOT_ALL_GRADED = 3


@click.command(
    name="grade",
    help="""Grade worksheets from pictures (JPEG, PNG, WebP, TIFF), PDF scans, folders and videos.

    What is not named is looked up beside the picture (layout.json, assignment.toml, roster.csv), then among what
    was loaded. From the first page on whose seat number is hard to read, the lines wait for the last page: by then
    the others say whose it can be. Ends with 0 when every page was graded, 3 when some could not be, 1 when none
    could be opened.

    \b
    Examples:
      classbox grade photos/ --class 3-1
      classbox grade scan.pdf --layout out/layout.json --assignment out/assignment.toml --json
      classbox grade IMG_0001.jpg --annotate marked/
    """,
)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--assignment", type=click.Path(path_type=Path), help="The assignment, with its key (TOML).")
@click.option("--layout", type=click.Path(path_type=Path), help="The layout of the sheets (JSON).")
@click.option("--roster", type=click.Path(path_type=Path), help="The class list (CSV: class,seat,name).")
@click.option("--class", "class_name", help="Whose sheets these are.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a page, one line each.")
@click.option("--annotate", "marked", type=click.Path(path_type=Path), help="Draw the verdicts, into this folder.")
def command(
    paths: tuple[Path, ...],
    assignment: Path | None,
    layout: Path | None,
    roster: Path | None,
    *,
    class_name: str | None,
    marked: Path | None,
    as_json: bool,
) -> None:
    """Grade every page; one that fails costs none of the others."""
    cv2.setNumThreads(1)
    shelves = open_shelves(layout=layout, assignment=assignment, roster=roster, class_name=class_name)
    recogniser = Recognisers.load()
    folder = _Marked(marked) if marked is not None else None
    files = [file for path in paths for file in _found(path, marked)]
    opened = ungraded = 0
    for folder_of_files in dict.fromkeys(file.parent for file in files):
        for error in shelves.folder(folder_of_files).errors:
            say_error(error)
    batch, lines = Batch(), _Lines()

    def line_of(capture: Capture, page: GradedPage, roster: Roster | None) -> str:
        return _as_json(capture, page) if as_json else _as_line(capture, page, roster)

    for file in progress(files, label="", total=len(files)):
        try:
            for capture, page in _pages(file, shelves, recogniser):
                opened += 1
                ungraded += page.status is not PageStatus.GRADED
                if folder is not None:
                    folder.keep(capture, page)
                pupils = _roster_of(file, shelves)
                lines.say(None if batch.waits(capture, page, pupils) else line_of(capture, page, pupils))
        except ClassboxError as error:
            ungraded += 1
            say_error(error)
            if as_json:
                lines.say(_as_failed_json(file, error))
    lines.end(line_of(late.capture, late.page, late.roster) for late in batch.named())
    if not files:
        raise ClassboxError("There are no pictures here.", remedy="Name pictures, PDF scans or videos.")
    if ungraded:
        raise SystemExit(NOT_ALL_GRADED if opened else 1)


class _Lines:
    """Prints in the order of the pages: from the first one in doubt on, lines wait for the end of the batch."""

    def __init__(self) -> None:
        self._held: list[str | None] = []

    def say(self, line: str | None) -> None:
        """The next page's line; None for one that comes at the end."""
        if line is None or self._held:
            self._held.append(line)
        else:
            print(line)

    def end(self, late: Iterator[str]) -> None:
        """What was held, with the lines that were late."""
        for line in self._held:
            print(next(late) if line is None else line)


class _Marked:
    """The folder for annotated pictures; names never collide."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._names: Counter[str] = Counter()
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _cannot_write(path, error) from error

    def keep(self, capture: Capture, page: GradedPage) -> None:
        name = Path(capture.source).stem + (f"-{capture.page_of_source}" if capture.page_of_source > 1 else "")
        self._names[name] += 1
        if self._names[name] > 1:
            name += f"~{self._names[name]}"
        written, data = cv2.imencode(".jpg", annotate(capture.image, page), [cv2.IMWRITE_JPEG_QUALITY, 90])
        assert written
        try:
            (self._path / f"{name}.jpg").write_bytes(data.tobytes())
        except OSError as error:
            raise _cannot_write(self._path, error) from error


def _cannot_write(path: Path, error: OSError) -> ClassboxError:
    return ClassboxError(
        "{folder} cannot be written to: {reason}.",
        remedy="Choose another folder with --annotate.",
        folder=path,
        reason=error.strerror or error,
    )


def _found(path: Path, marked: Path | None) -> Iterator[Path]:
    """The files under a path, without our own annotated ones."""
    ours = marked.resolve() if marked is not None else None
    for file in files_of(path):
        if ours is None or file == path or ours not in file.resolve().parents:
            yield file


def _pages(file: Path, shelves: Shelves, recogniser: Recogniser) -> Iterator[tuple[Capture, GradedPage]]:
    books = shelves.books(shelves.folder(file.parent))
    for capture in captures_in(file):
        yield capture, grade_capture(capture, books, recogniser)


def _roster_of(file: Path, shelves: Shelves) -> Roster | None:
    return shelves.books(shelves.folder(file.parent)).roster


def _as_json(capture: Capture, page: GradedPage) -> str:
    """The contract's object for one page, in `docs/reading.md`."""
    record, code = page.record, page.registered.code
    layout, side = page.registered.layout, page.registered.page
    about: dict[str, Any] = {
        "source": capture.source,
        "page_of_source": capture.page_of_source,
        "status": page.status.value,
        "problems": [_problem(problem) for problem in page.problems],
        "sheet": code.sheet if code is not None else layout.sheet if layout is not None else None,
        "assignment": layout.assignment if layout is not None else None,
        "page": code.page if code is not None else side.page if side is not None else None,
        "class": record.who.class_name if record is not None else None,
        "seat": record.who.seat if record is not None else None,
        "pupil": record.who.pupil if record is not None else None,
        "score": points(record.score_hundredths) if record is not None else None,
        "max_score": points(record.max_score_hundredths) if record is not None else None,
        "pending": record.pending if record is not None else None,
        "items": [
            {
                "item": item.item,
                "blank": item.blank,
                "kind": item.kind,
                "reading": item.reading.text,
                "confidence": round(item.reading.confidence, 4),
                "verdict": item.verdict.kind.value,
                "score": points(item.verdict.score_hundredths),
                "quad_px": [list(corner) for corner in place.quad_px],
            }
            for item, place in zip(record.items if record is not None else (), page.fields, strict=True)
        ],
        "elapsed_ms": round(page.elapsed_ms, 1),
    }
    return json.dumps(about, ensure_ascii=False)


def _as_failed_json(file: Path, error: ClassboxError) -> str:
    about: dict[str, Any] = {
        "source": str(file),
        "page_of_source": 1,
        "status": PageStatus.UNREADABLE.value,
        "problems": [{"code": "bad-file", "message": str(error)}],
    }
    nothing = dict.fromkeys(("sheet", "assignment", "page", "class", "seat", "pupil", "score", "max_score", "pending"))
    return json.dumps({**about, **nothing, "items": [], "elapsed_ms": 0.0}, ensure_ascii=False)


def _problem(problem: Problem) -> dict[str, str]:
    return {"code": problem.code, "message": problem.message}


def _as_line(capture: Capture, page: GradedPage, roster: Roster | None) -> str:
    _ = translator(terminal_language()).gettext
    where = capture.source + (f":{capture.page_of_source}" if capture.page_of_source > 1 else "")
    problems = " ".join(_(problem.message) for problem in page.problems)
    record = page.record
    if record is None:
        return f"{where}  {problems}"
    known = roster.by_id(record.who.pupil) if roster is not None and record.who.pupil is not None else None
    seat = None if record.who.seat is None else _("no. {seat}").format(seat=record.who.seat)
    who = [record.who.class_name, seat, known.name if known is not None else record.who.pupil]
    counts = Counter(item.verdict.kind for item in record.items)
    marks = {
        "✓": counts[VerdictKind.CORRECT],
        "✗": counts[VerdictKind.WRONG],
        "?": counts[VerdictKind.REVIEW],
        "–": counts[VerdictKind.BLANK],
        "·": counts[VerdictKind.READ],
    }
    score = (
        ""
        if record.score_hundredths is None
        else f"{points(record.score_hundredths)}/{points(record.max_score_hundredths)}"
    )
    parts = [
        where,
        " ".join(part for part in who if part) or "?",
        score,
        " ".join(f"{mark}{count}" for mark, count in marks.items() if count),
        problems,
    ]
    return "  ".join(part for part in parts if part)
