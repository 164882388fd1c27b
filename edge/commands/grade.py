"""`classbox grade PATH...`: pictures, scans, folders and videos to verdicts; needs no service."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import click

from edge.batch import Batch
from edge.journal import Journal
from edge.many import LIMIT_S, Batches, Setup, cannot_draw, knowledge_digest
from edge.nearby import Shelves, open_shelves
from edge.order_in_batch import OrderOfBatch, parse_seats
from edge.outcomes import Outcome, as_failed_json, as_json, as_line
from edge.picture_files import files_of
from edge.reading.red import RedIs
from edge.sets import missing_pages
from homework.errors import ClassboxError, UsageError
from homework.results import PageRecord, PageStatus
from homework.roster import Roster
from ui.language import terminal_language, translator
from ui.terminal import say_error, watched

NOT_ALL_GRADED = 3


@click.command(
    name="grade",
    help="""Grade worksheets from pictures (JPEG, PNG, WebP, TIFF), PDF scans, folders and videos.

    What is not named is looked up beside the picture (layout.json, assignment.toml, roster.csv), then among what
    was loaded. From the first page on whose seat number is hard to read, the lines wait for the last page: by then
    the others say whose it can be. Ends with 0 when every page was graded, 3 when some could not be, 1 when none
    could be opened.

    Sheets that name nobody (learned pages, pupil_id = "order") are taken in the order of the seats: the n-th is the
    n-th seat's. That needs --class, and --absent for who is not there; where sheets and pupils do not come out even,
    nobody is named.

    With --resume, pages are noted in a file as they are done. Cut short, the same command goes on where it stopped,
    and prints all; more pictures later cost only themselves. A changed key or class list has all graded anew.

    \b
    Examples:
      classbox grade photos/ --class 3-1
      classbox grade scan.pdf --layout out/layout.json --assignment out/assignment.toml --json
      classbox grade term.pdf --resume term.done --json > term.jsonl
      classbox grade page12.pdf --roster class.csv --class 3-1 --absent 7,12
      classbox grade IMG_0001.jpg --annotate marked/
    """,
)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--assignment", type=click.Path(path_type=Path), help="The assignment, with its key (TOML).")
@click.option("--layout", type=click.Path(path_type=Path), help="The layout of the sheets (JSON).")
@click.option("--roster", type=click.Path(path_type=Path), help="The class list (CSV: class,seat,name).")
@click.option("--class", "class_name", help="Whose sheets these are.")
@click.option("--absent", help="Seats without a sheet in a stack in seat order: 7,12 or 20-25.")
@click.option(
    "--red",
    "red_is",
    type=click.Choice(["teacher", "pupil"]),
    default="teacher",
    show_default=True,
    help="Whose red ink is: the teacher's are marks, the pupils' is read like any other.",
)
@click.option("--json", "as_objects", is_flag=True, help="One JSON object a page, one line each.")
@click.option("--annotate", "marked", type=click.Path(path_type=Path), help="Draw the verdicts, into this folder.")
@click.option("--jobs", type=click.IntRange(1, 256), help="Pages at a time; by default as many as there are cores.")
@click.option("--resume", type=click.Path(path_type=Path), help="Note finished pages here; go on from what is there.")
@click.option(
    "--seconds",
    type=click.FloatRange(min=0.1),
    default=LIMIT_S,
    show_default=True,
    help="A page that takes longer is given up.",
)
def command(
    paths: tuple[Path, ...],
    assignment: Path | None,
    layout: Path | None,
    roster: Path | None,
    *,
    class_name: str | None,
    absent: str | None,
    red_is: RedIs,
    marked: Path | None,
    jobs: int | None,
    resume: Path | None,
    seconds: float,
    as_objects: bool,
) -> None:
    """Grade every page; one that fails costs none of the others."""
    away = parse_seats(absent) if absent is not None else frozenset()
    if away and class_name is None:
        raise UsageError("Who is absent can be said of one class only.", remedy="Name it with --class.")
    shelves = open_shelves(layout=layout, assignment=assignment, roster=roster, class_name=class_name, red_is=red_is)
    if marked is not None:
        _make_folder(marked)
    files = [file for path in paths for file in _found(path, marked)]
    if not files:
        raise ClassboxError("There are no pictures here.", remedy="Name pictures, PDF scans or videos.")
    for folder in dict.fromkeys(file.parent for file in files):
        for error in shelves.folder(folder).errors:
            say_error(error)
    journal = Journal(resume) if resume is not None else None
    try:
        batches = Batches(
            files,
            Setup(layout, assignment, roster, class_name, marked, red_is),
            jobs=jobs or len(os.sched_getaffinity(0)),
            limit_s=seconds,
            journal=journal,
            known=_remembered(shelves),
        )
        opened, ungraded = _grade(batches, shelves, OrderOfBatch(class_name, away), as_objects=as_objects)
    finally:
        if journal is not None:
            journal.close()
    if ungraded:
        raise SystemExit(NOT_ALL_GRADED if opened else 1)


@dataclass(frozen=True)
class Waits:
    """A page whose line comes at the end; `in_order`: it is named by its place in the stack, else by the others."""

    in_order: bool
    roster: Roster | None
    pages: int


def _grade(batches: Batches, shelves: Shelves, order: OrderOfBatch, *, as_objects: bool) -> tuple[int, int]:
    """Print every page in order; how many could be opened, and how many were not graded."""
    translate = translator(terminal_language()).gettext
    opened = ungraded = 0
    batch, lines, sets = Batch(), _Lines(), _Sets()

    def line_of(one: Outcome, pupils: Roster | None) -> str:
        return as_json(one) if as_objects else as_line(one, pupils, translate)

    waiting: list[Waits] = []
    for done in watched(batches.run(), total=lambda: batches.expected):
        if done.outcome is not None:
            opened += 1
            parts, pupils = done.outcome.pages(), _roster_of(done.path, shelves)
            ungraded += any(one.status is not PageStatus.GRADED for one in parts)
            for one, in_order in zip(parts, order.waits(parts, pupils), strict=True):
                pages = _pages_of(done.path, shelves, one)
                in_doubt = not one.by_order and batch.waits(one, pupils, pages)
                if in_order or in_doubt:
                    waiting.append(Waits(in_order, pupils, pages))
                    lines.say(None)
                else:
                    sets.add(one, pupils, pages)
                    lines.say(line_of(one, pupils))
        elif done.error is not None:
            ungraded += 1
            batch.lost()
            order.lost()
            say_error(done.error)
            if as_objects:
                lines.say(as_failed_json(done.path, done.page, done.error))
    by_order, why_not = order.named()
    by_stack = (late.outcome for late in batch.named())
    late = [(next(by_order if was.in_order else by_stack), was) for was in waiting]
    for outcome, was in late:
        sets.add(outcome, was.roster, was.pages)
    lines.end(line_of(outcome, was.roster) for outcome, was in late)
    if why_not is not None:
        say_error(why_not)
    for line in sets.missing(translate):
        print(line, file=sys.stderr)
    return opened, ungraded


class _Sets:
    """Who has handed in which pages of sheets that have several, and so which are missing."""

    def __init__(self) -> None:
        self._records: list[PageRecord] = []
        self._pages: dict[str, int] = {}
        self._names: dict[str, str] = {}

    def add(self, one: Outcome, roster: Roster | None, pages: int) -> None:
        if one.record is None or one.record.who.pupil is None or pages < 2:
            return
        self._records.append(one.record)
        self._pages[one.record.sheet] = pages
        who = one.record.who
        pupil = roster.by_id(who.pupil) if roster is not None and who.pupil is not None else None
        self._names[one.record.who.pupil] = pupil.name if pupil is not None else one.record.who.pupil

    def missing(self, translate: Callable[[str], str]) -> Iterator[str]:
        """One line a page number: whose is missing, though another of theirs is there."""
        for page, pupils in missing_pages(self._records, self._pages).items():
            names = ", ".join(self._names[pupil] for pupil in pupils)
            yield translate("Page {page} is missing of: {names}").format(page=page, names=names)


def _remembered(shelves: Shelves) -> Callable[[Path], str]:
    """The digest of what a folder's pictures are graded by, worked out once a folder."""
    return cache(lambda folder: knowledge_digest(shelves, folder))


class _Lines:
    """Prints in the order of the pages: from the first one in doubt on, lines wait for the end of the batch."""

    def __init__(self) -> None:
        self._held: list[str | None] = []

    def say(self, line: str | None) -> None:
        """The next page's line; None for one that comes at the end."""
        if line is None or self._held:
            self._held.append(line)
        else:
            print(line, flush=True)

    def end(self, late: Iterator[str]) -> None:
        """What was held, with the lines that were late."""
        for line in self._held:
            print(next(late) if line is None else line)


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_draw(path, error) from error


def _found(path: Path, marked: Path | None) -> Iterator[Path]:
    """The files under a path, without our own annotated ones."""
    ours = marked.resolve() if marked is not None else None
    for file in files_of(path):
        if ours is None or file == path or ours not in file.resolve().parents:
            yield file


def _roster_of(file: Path, shelves: Shelves) -> Roster | None:
    return shelves.books(shelves.folder(file.parent)).roster


def _pages_of(file: Path, shelves: Shelves, one: Outcome) -> int:
    """How many pages the sheet has to which a page belongs."""
    if one.sheet is None:
        return 1
    layout = shelves.books(shelves.folder(file.parent)).layout_of(one.sheet)
    return len(layout.pages) if layout is not None else 1
