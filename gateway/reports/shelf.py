"""What reports of one school are made of, read once for as many of them as are made together.

A worker makes the summaries of a class's whole term, and each would read the same class list, settings and clocks. All
is of one snapshot of the store: a shelf lives no longer than its transaction.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, bindparam, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.booking import RowName
from gateway.keys import Vault
from gateway.reports.settings import report_settings
from gateway.store.absences import absences_of
from gateway.store.boots import Made, places
from gateway.store.dialect import batched
from gateway.store.months import known_months
from gateway.store.pages import PageRow, pages_where
from gateway.store.reading import ReportVersion, assignments_named, class_pages, layouts_named
from gateway.store.schools import KnownPupil, class_pupils, pupils_named
from gateway.store.tables.schools import documents, schools
from gateway.store.tables.sheets import RowState, class_rollups, page_records
from gateway.store.tallies import Told, tallies_of, tallies_of_all
from homework.absences import Absence
from homework.assignment import Assignment
from homework.layout import SheetLayout
from homework.report_settings import ReportSettings
from sync.placing import BoxTimes, Placed

Digests = Mapping[tuple[str, str], bytes]
"""The digest of the version that counts of each document, by kind and id."""


# Statements are built once: to build one, and the name under which its text is kept, costs more than to run it.
_WORKS: BindParameter[Any] = bindparam("works", expanding=True)
_VERSIONS = (
    select(class_rollups.c.class_name, class_rollups.c.assignment, func.sum(class_rollups.c.version))
    .where(
        class_rollups.c.school_id == bindparam("school"),
        tuple_(class_rollups.c.assignment, class_rollups.c.class_name).in_(_WORKS),
    )
    .group_by(class_rollups.c.class_name, class_rollups.c.assignment)
)
_OF_SCHOOL = select(schools.c.roster_version, schools.c.settings_version, schools.c.documents_version).where(
    schools.c.school_id == bindparam("school")
)
_PAGES = (
    select(page_records)
    .where(
        page_records.c.school_id == bindparam("school"),
        page_records.c.month.in_(bindparam("months", expanding=True)),
        tuple_(page_records.c.assignment, page_records.c.class_name).in_(_WORKS),
    )
    .order_by(page_records.c.received_ms, page_records.c.box_id, page_records.c.epoch, page_records.c.seq)
)


async def document_digests(connection: AsyncConnection, school: str, names: Collection[str] | None) -> Digests:
    """Of the assignments and layouts of these ids (None: of all) the digests of the versions that count."""
    columns = (documents.c.kind, documents.c.document_id, documents.c.digest)
    every = (
        select(*columns)
        .where(documents.c.school_id == school, documents.c.kind.in_(("assignment", "layout")))
        .order_by(documents.c.received_ms, documents.c.digest)  # the latest counts: `gateway.store.reading`
    )
    named = documents.c.document_id
    queries = [every] if names is None else [every.where(named.in_(some)) for some in batched(sorted(names))]
    found: dict[tuple[str, str], bytes] = {}
    for query in queries:
        for kind, name, digest in await connection.execute(query):
            found[kind, name] = bytes(digest)
    return found


class Work(NamedTuple):
    """A class's work on an assignment. The class is "" where nobody knows it."""

    class_name: str
    assignment: str


Rows = list[tuple[PageRow, RowState]]


class Shelf:
    """One school's, in one transaction that reads. `fetch` reads ahead; what was not read ahead is read when asked."""

    def __init__(self, connection: AsyncConnection, vault: Vault, school: str) -> None:
        self.connection, self.vault, self.school = connection, vault, school
        self._pupils: dict[str, tuple[KnownPupil, ...]] = {}
        self._documents: dict[str, Assignment | None] = {}
        self._layouts: dict[str, SheetLayout | None] = {}
        self._times: dict[str, BoxTimes] = {}
        self._pages: dict[Work, Rows] = {}
        self._versions: dict[Work, ReportVersion] = {}
        self._digests: dict[tuple[str, str], bytes] = {}
        self._digested: set[str] = set()
        self._settings: ReportSettings | None = None
        self._tallies: dict[Work, list[Told]] = {}
        self._absences: dict[str, Mapping[bytes, Absence]] = {}

    async def fetch(self, works: Collection[Work]) -> None:
        """Read ahead for the reports of these."""
        # The versions are read first: should something slip in between, a summary says that it is older than it is.
        await self._fetch_versions(works)
        named = [work for work in works if work.class_name]
        await self._fetch_pages(named)
        rows = [row for some in self._pages.values() for row, _ in some]
        sheets, assignments = {row.sheet for row in rows}, {work.assignment for work in works}
        await self.layouts(sheets)
        await self._fetch_documents(assignments)
        await self._fetch_digests(sheets | assignments)
        await self._fetch_absences(assignments)
        told = await tallies_of_all(self.connection, self.school, assignments)
        self._tallies |= {work: told.get((work.class_name, work.assignment), []) for work in works}

    async def version(self, work: Work) -> ReportVersion:
        """Of what a report would be made; all zero for a school that is not here."""
        if work not in self._versions:
            await self._fetch_versions([work])
        return self._versions[work]

    async def pages(self, work: Work) -> Rows:
        """All rows of the class's assignment, of every attempt, in the order of arrival."""
        if work not in self._pages:
            self._pages[work] = await class_pages(
                self.connection, self.school, work.class_name, work.assignment, attempt=None
            )
        return self._pages[work]

    async def pupils(self, class_name: str) -> tuple[KnownPupil, ...]:
        """The class by seat."""
        if class_name not in self._pupils:
            self._pupils[class_name] = await class_pupils(self.connection, self.vault, self.school, class_name)
        return self._pupils[class_name]

    async def guests(self, aliases: Collection[bytes]) -> tuple[KnownPupil, ...]:
        """Pupils of other classes."""
        return await pupils_named(self.connection, self.vault, self.school, aliases)

    async def document(self, assignment: str) -> Assignment | None:
        """The assignment; None until it has come."""
        if assignment not in self._documents:
            await self._fetch_documents({assignment})
        return self._documents[assignment]

    async def layouts(self, sheets: Collection[str]) -> Mapping[str, SheetLayout]:
        """Those of these layouts that have come."""
        new = {sheet for sheet in sheets if sheet not in self._layouts}
        if new:
            found = await layouts_named(self.connection, self.school, new)
            self._layouts |= {sheet: found.get(sheet) for sheet in new}
        return {sheet: layout for sheet in sheets if (layout := self._layouts[sheet]) is not None}

    async def digests(self, assignment: str, sheets: Collection[str]) -> Digests:
        """Those of the documents of a report, and perhaps others."""
        await self._fetch_digests({assignment, *sheets})
        return self._digests

    async def settings(self) -> ReportSettings:
        """How the school wants its reports."""
        if self._settings is None:
            self._settings = await report_settings(self.connection, self.school)
        return self._settings

    async def placed(self, rows: Sequence[PageRow]) -> dict[RowName, Placed]:
        """When each page was slid, by the times at which boxes cannot but have made them."""
        made = [Made(row.booked.name.box, row.clock, row.booked.received_ms) for row in rows]
        found = await places(self.connection, self.school, made, known=self._times) if made else []
        return {row.booked.name: at for row, at in zip(rows, found, strict=True)}

    async def tallies(self, work: Work) -> list[Told]:
        """What every box has of this, as it said."""
        if work not in self._tallies:
            self._tallies[work] = await tallies_of(self.connection, self.school, work.class_name, work.assignment)
        return self._tallies[work]

    async def absences(self, assignment: str) -> Mapping[bytes, Absence]:
        """Who is excused from an assignment or exempt (请假, 免做), by pseudonym."""
        if assignment not in self._absences:
            await self._fetch_absences({assignment})
        return self._absences[assignment]

    async def _fetch_absences(self, assignments: Collection[str]) -> None:
        found = await absences_of(self.connection, self.school, assignments)
        self._absences |= {name: found.get(name, {}) for name in assignments}

    async def _fetch_documents(self, names: Collection[str]) -> None:
        found = await assignments_named(self.connection, self.school, names)
        self._documents |= {name: found.get(name) for name in names}

    async def _fetch_digests(self, names: Collection[str]) -> None:
        new = {name for name in names if name not in self._digested}
        if new:
            self._digests |= await document_digests(self.connection, self.school, new)
            self._digested |= new

    async def _fetch_versions(self, works: Iterable[Work]) -> None:
        works = list(works)
        sums: dict[Work, int] = defaultdict(int)
        given = {"school": self.school, "works": [(one.assignment, one.class_name) for one in works]}
        for class_name, assignment, version in await self.connection.execute(_VERSIONS, given):
            sums[Work(class_name, assignment)] = int(version)
        row = (await self.connection.execute(_OF_SCHOOL, {"school": self.school})).first()
        for work in works:
            self._versions[work] = ReportVersion(0, 0, 0, 0) if row is None else ReportVersion(sums[work], *row)

    async def _fetch_pages(self, works: Collection[Work]) -> None:
        months = await known_months(self.connection, self.school, sorted({work.assignment for work in works}))
        given = {
            "school": self.school,
            "months": sorted(set(months.values())),
            "works": [(one.assignment, one.class_name) for one in works],
        }
        self._pages |= {work: [] for work in works}
        for row, state in await pages_where(self.connection, _PAGES, given):
            self._pages[Work(row.class_name or "", row.assignment or "")].append((row, state))
