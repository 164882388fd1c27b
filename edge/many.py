"""Many pages at once: files in, what became of each page out, in the order of the pages, on all cores.

A file is opened by the worker that gets its first page; the pages after it go to whoever is free. Pages cross between
processes without their pictures, so that 300 of them are never in memory at once.
"""

from __future__ import annotations

import hashlib
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path

import cv2
import msgspec

from edge.annotate import annotate
from edge.config import default_data_dir
from edge.documents import FILE_NAME
from edge.facing import facing_pages, of_one_pupil
from edge.frames import Capture
from edge.journal import Entry, Journal, digest_of_file
from edge.nearby import Shelves, open_shelves
from edge.outcomes import Outcome, outcome_of
from edge.page_workers import Answer, Done, Event, Failed, work_apart, work_here
from edge.picture_files import PageFile, Stamp, is_film, sheets_in_film, shown_name
from edge.pipeline import GradedPage, grade_capture
from edge.reading.red import RedIs
from homework.assignment import assignment_to_toml
from homework.errors import BadFileError, ClassboxError
from homework.layout import layout_to_json
from homework.roster import roster_to_csv
from models.recognisers import Recognisers

LIMIT_S = 60.0
"""After so long a page is given up: 200 times what one takes."""

FILM_LIMITS = 10
"""A film may show no sheet for longer than that."""

_SEVERAL_PAGES = frozenset({".pdf", ".tif", ".tiff"})


@dataclass(frozen=True)
class Setup:
    """What the pages are graded by, as it was named: each process reads it for itself. In `marked` it draws."""

    layout: Path | None = None
    assignment: Path | None = None
    roster: Path | None = None
    class_name: str | None = None
    marked: Path | None = None
    red_is: RedIs = "teacher"


@dataclass(frozen=True)
class PageUnit:
    """One page of a file (of a film: every sheet), with what to call the annotated picture."""

    file: int
    path: Path
    stamp: Stamp
    page: int
    limit_s: float
    drawn_as: tuple[str, str]

    @property
    def name(self) -> str:
        """The file, and the page when it is not the first."""
        return self.path.name if self.page == 1 else f"{self.path.name}:{self.page}"


@dataclass(frozen=True)
class Opened:
    """How many pages a file has."""

    pages: int


@dataclass(frozen=True)
class PageDone:
    """The next page in order: what became of it, or the error that kept it from being looked at."""

    path: Path
    page: int
    outcome: Outcome | None
    error: ClassboxError | None = None


class PageGrader:
    """What a worker does: opens files, reads pages, grades them, draws on them."""

    def __init__(self, setup: Setup) -> None:
        cv2.setNumThreads(1)
        self._shelves = open_shelves(
            layout=setup.layout,
            assignment=setup.assignment,
            roster=setup.roster,
            class_name=setup.class_name,
            red_is=setup.red_is,
        )
        self._recogniser = Recognisers.load()
        self._marked = setup.marked
        self._open: tuple[Stamp, PageFile] | None = None

    def __call__(self, unit: PageUnit) -> Iterator[Opened | Outcome]:
        if is_film(unit.path):
            for capture in sheets_in_film(unit.path):
                yield self._graded(unit, capture)
            return
        file = self._file(unit)
        if unit.page == 1:
            yield Opened(file.pages)
        yield self._graded(unit, file.capture(unit.page))

    def _file(self, unit: PageUnit) -> PageFile:
        if self._open is None or self._open[0] != unit.stamp or self._open[1].path != unit.path:
            if self._open is not None:
                self._open[1].close()
                self._open = None
            self._open = (unit.stamp, PageFile(unit.path, unit.stamp))
        return self._open[1]

    def _graded(self, unit: PageUnit, capture: Capture) -> Outcome:
        books = self._shelves.books(self._shelves.folder(unit.path.parent))
        page = grade_capture(capture, books, self._recogniser)
        parts = facing_pages(page, books)
        graded = of_one_pupil([(part, grade_capture(part, books, self._recogniser)) for part in parts])
        pages = [one for _, one in graded] or [page]
        if self._marked is not None:
            _draw(self._marked, unit.drawn_as, capture, pages)
        first, *others = [outcome_of(capture, one) for one in pages]
        if not others:
            return first
        # The whole picture was looked at before its pages were.
        first = msgspec.structs.replace(first, elapsed_ms=first.elapsed_ms + page.elapsed_ms)
        return msgspec.structs.replace(first, facing=tuple(others))


@dataclass
class _Progress:
    """One file: how many pages it has (None: not known yet), and those that are done and not given out yet."""

    path: Path
    drawn_as: tuple[str, str]
    pages: int | None = None
    done: dict[int, PageDone] = field(default_factory=dict)
    next_page: int = 1
    digest: str | None = None
    known: str = ""
    film: list[Outcome] = field(default_factory=list)


class Batches:
    """The pages of many files, graded by processes and handed out in order."""

    def __init__(
        self,
        files: Sequence[Path],
        setup: Setup,
        *,
        jobs: int,
        limit_s: float = LIMIT_S,
        journal: Journal | None = None,
        known: Callable[[Path], str] = lambda _: "",
    ) -> None:
        """`known` gives the digest of what the pictures of a folder are graded by; only a journal asks for it."""
        self._files = [_Progress(path, name) for path, name in zip(files, drawn_names(files), strict=True)]
        self._setup = setup
        self._jobs = jobs
        self._limit_s = limit_s
        self._journal = journal
        self._known = known
        self._marked = str(setup.marked.absolute()) if setup.marked is not None else None
        self._units: deque[PageUnit] = deque()
        self._opened = 0
        self._given = 0

    @property
    def expected(self) -> int:
        """How many pages there are, as far as the files have been opened."""
        return sum(1 if file.pages is None else file.pages for file in self._files)

    def run(self) -> Iterator[PageDone]:
        """Every page, in order. Raises `ClassboxError` for what concerns all of them."""
        make = partial(PageGrader, self._setup)
        alone = len(self._files) == 1 and not is_film(self._files[0].path)
        alone = alone and self._files[0].path.suffix.lower() not in _SEVERAL_PAGES
        events: Iterator[Event[PageUnit, Opened | Outcome]] = (
            work_here(make, self._next) if alone else work_apart(make, self._next, jobs=self._jobs)
        )
        for event in events:
            self._take(event)
            yield from self._ready()
        yield from self._ready()

    def _next(self) -> PageUnit | None:
        while not self._units and self._opened < len(self._files):
            self._begin(self._opened)
            self._opened += 1
        return self._units.popleft() if self._units else None

    def _begin(self, number: int) -> None:
        """Look at the file from outside, take what the journal has of it, and put the rest in line."""
        file = self._files[number]
        try:
            stamp = Stamp.of(file.path)
        except BadFileError as error:
            self._fail(file, 1, error)
            file.pages = 1
            return
        limit_s = self._limit_s * (FILM_LIMITS if is_film(file.path) else 1)
        unit = PageUnit(number, file.path, stamp, 1, limit_s, file.drawn_as)
        if self._journal is not None:
            file.digest, file.known = digest_of_file(file.path), self._known(file.path.parent)
        stored = {}
        if self._journal is not None and file.digest is not None:
            stored = dict(self._journal.pages_of(file.digest, file.known, self._marked))
        source = shown_name(file.path)
        for page, entry in stored.items():
            file.done[page] = PageDone(file.path, page, entry.outcome.from_source(source))
            file.pages = entry.pages
        if file.pages is None:
            self._units.append(unit)
        else:
            self._units.extend(_pages(unit, (page for page in range(1, file.pages + 1) if page not in stored)))

    def _take(self, event: Event[PageUnit, Opened | Outcome]) -> None:
        unit = event.unit
        file = self._files[unit.file]
        film = is_film(unit.path)
        if isinstance(event, Answer) and isinstance(event.result, Opened):
            if file.pages is None:
                file.pages = event.result.pages
                self._units.extendleft(reversed(_pages(unit, range(2, file.pages + 1))))
        elif isinstance(event, Answer):
            assert isinstance(event.result, Outcome)
            page = event.result.page_of_source
            file.done[page] = PageDone(file.path, page, event.result)
            if film:
                file.film.append(event.result)
            else:
                self._keep(file, event.result)
        elif isinstance(event, Failed):
            page = len(file.film) + 1 if film else unit.page
            if page >= file.next_page and page not in file.done:  # else its worker died with nothing left to do
                self._fail(file, page, event.error)
            if file.pages is None:
                file.pages = page
        elif isinstance(event, Done) and film:
            file.pages = len(file.film)
            for outcome in file.film:
                self._keep(file, outcome)

    def _keep(self, file: _Progress, outcome: Outcome) -> None:
        if self._journal is not None and file.digest is not None:
            assert file.pages is not None
            self._journal.add(
                Entry(file=file.digest, known=file.known, pages=file.pages, marked=self._marked, outcome=outcome)
            )

    def _fail(self, file: _Progress, page: int, error: ClassboxError) -> None:
        file.done[page] = PageDone(file.path, page, None, error)

    def _ready(self) -> Iterator[PageDone]:
        while self._given < len(self._files):
            file = self._files[self._given]
            while (done := file.done.pop(file.next_page, None)) is not None:
                file.next_page += 1
                yield done
            if file.pages is None or file.next_page <= file.pages:
                return
            self._given += 1


def drawn_names(files: Sequence[Path]) -> list[tuple[str, str]]:
    """What the annotated pictures of each file are called before and after a page's number; no two are the same."""
    stems = {file.stem for file in files}
    taken: set[tuple[str, str]] = set()
    names = []
    for file in files:
        base = re.sub(r"-\d+$", "", file.stem)  # a-2.jpg and the second page of a.pdf
        stem = base if base in stems else file.stem
        again = 1
        while (stem, _nth(again)) in taken or any(
            f"{one}{_nth(again)}" in stems for one in (file.stem, stem) if again > 1
        ):
            again += 1
        taken.add((stem, _nth(again)))
        names.append((file.stem, _nth(again)))
    return names


def _nth(again: int) -> str:
    return f"~{again}" if again > 1 else ""


def knowledge_digest(shelves: Shelves, folder: Path) -> str:
    """A digest of all that the pictures in a folder are graded by: layouts, keys, class lists, models, version."""
    beside = shelves.folder(folder)
    digest = hashlib.blake2b(digest_size=16)

    def layer(content: bytes) -> None:
        digest.update(len(content).to_bytes(8, "big") + content)

    layer(version("classbox").encode())
    layer((Recognisers.load().directory / "manifest.json").read_bytes())
    for shelf in (shelves, beside):
        layer(layout_to_json(shelf.layout).encode() if shelf.layout is not None else b"")
        layer(assignment_to_toml(shelf.assignment).encode() if shelf.assignment is not None else b"")
        layer(roster_to_csv(shelf.roster).encode() if shelf.roster is not None else b"")
        for picture in shelf.unmarked.references if shelf.unmarked is not None else ():
            layer(picture.tobytes())
    layer((shelves.class_name or "").encode())
    layer(shelves.red_is.encode())
    loaded = default_data_dir() / FILE_NAME
    layer(loaded.read_bytes() if shelves.loaded is not None else b"")  # names its pictures by their digests
    return digest.hexdigest()


def _pages(first: PageUnit, pages: Iterator[int] | range) -> list[PageUnit]:
    return [PageUnit(first.file, first.path, first.stamp, page, first.limit_s, first.drawn_as) for page in pages]


def _draw(folder: Path, name: tuple[str, str], capture: Capture, pages: Sequence[GradedPage]) -> None:
    stem, again = name
    number = f"-{capture.page_of_source}" if capture.page_of_source > 1 else ""
    path = folder / f"{stem}{number}{again}.jpg"
    drawn = capture.image
    for page in pages:
        drawn = annotate(drawn, page)
    written, data = cv2.imencode(".jpg", drawn, [cv2.IMWRITE_JPEG_QUALITY, 90])
    assert written
    beside = path.with_name(f".{path.name}")
    try:
        beside.write_bytes(data.tobytes())
        beside.replace(path)
    except OSError as error:
        raise cannot_draw(folder, error) from error


def cannot_draw(folder: Path, error: OSError) -> ClassboxError:
    """The annotated pictures cannot be written."""
    return ClassboxError(
        "{folder} cannot be written to: {reason}.",
        remedy="Choose another folder with --annotate.",
        folder=folder,
        reason=error.strerror or error,
    )
