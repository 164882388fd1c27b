"""A school in a real store with a simulated class and box: what tests and benchmarks start from."""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.ingest import Changed, StoreIngest
from gateway.reports.class_report import SchoolReport, class_report
from gateway.simulated_class import SimulatedBox, SimulatedClass, make_roster
from gateway.store.check import CheckResult, check
from gateway.store.rosters import bring_in
from gateway.store.schools import add_school, enrol_box, school_key
from gateway.store.store import Store
from homework.assignment import Assignment

BOX = "box-1"


@dataclass
class SimulatedSchool:
    """`changed` collects what ingest told open pages."""

    school: str
    store: Store
    ingest: StoreIngest
    pupils: SimulatedClass
    box: SimulatedBox
    box_key: bytes
    school_key: bytes
    changed: list[Changed] = field(default_factory=list)

    async def report(self, class_name: str | None = None) -> SchoolReport:
        """The class report as of now."""
        name = class_name or self.pupils.roster.classes()[0]
        async with self.store.reading() as connection:
            return await class_report(connection, self.store.vault, self.school, name, self.pupils.assignment.id)

    async def check(self) -> CheckResult:
        """What `classgate db check` says."""
        async with self.store.reading() as connection:
            return await check(connection)


async def make_school(
    store: Store, assignment: Assignment, *, school: str = "no-1", class_name: str = "3-1", size: int = 12
) -> SimulatedSchool:
    """Add a school with one class, its roster brought in, and one enrolled box. No sheet has come yet."""
    roster = make_roster(class_name, size)
    async with store.writing() as connection:
        await add_school(connection, store.vault, school)
        box_key = await enrol_box(connection, store.vault, school, BOX)
        await bring_in(connection, store.vault, school, roster)
        key = await school_key(connection, store.vault, school)
    changed: list[Changed] = []
    return SimulatedSchool(
        school=school,
        store=store,
        ingest=StoreIngest(store, on_change=changed.extend),
        pupils=SimulatedClass(assignment, roster, school_key=key),
        box=SimulatedBox(school, BOX),
        box_key=box_key,
        school_key=key,
        changed=changed,
    )
