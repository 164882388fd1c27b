"""A school in the middle of its term, with everybody signed in: what all of the gateway's pages are looked at with."""

from __future__ import annotations

import io
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from aiohttp import web
from PIL import Image, ImageDraw
from sqlalchemy import update

from gateway.access import grants as giving
from gateway.access.access import Access
from gateway.access.deeds import Deed
from gateway.access.gate import Door
from gateway.access.links import Kind, make_link
from gateway.access.passwords import Passwords
from gateway.access.people import add_person, set_password
from gateway.access.person import Grant, Role
from gateway.access.program_keys import GOOD_FOR_DISTRICT, make_key
from gateway.access.sso import SignOn
from gateway.api.hooks import add_hook
from gateway.config import SsoConfig, load_config
from gateway.ingest import StoreIngest
from gateway.reports.worker import SummaryWorker
from gateway.simulated_class import SimulatedClass, make_roster, plain_layout
from gateway.simulated_school import SimulatedSchool, make_school
from gateway.store.rosters import bring_in
from gateway.store.schools import add_school, enrol_box
from gateway.store.store import Store, open_store
from gateway.store.tables.schools import schools
from gateway.web.changes import Changes
from gateway.web.found import class_address, pupil_address, school_address
from gateway.web.rooms import Status, report_address
from gateway.web.site import make_site
from homework.assignment import Assignment, parse_assignment
from sync.lanes import Lane
from sync.pseudonym import pseudonym
from sync.records import CropRecord, crop_place
from sync.sealing import seal
from tests.gateway.access.conftest import GOOD, QUICK

ROOT = Path(__file__).resolve().parents[2]
MODEL = parse_assignment((ROOT / "examples" / "g3-mul-2x1.toml").read_text(encoding="utf-8"))
CLASS, SIZE = "三年级2班", 20
POINTS = ("两位数乘一位数", "进位乘法", "乘加混合")
BROKEN = b"\x92\x01\x01"
"""A page without its fields: what a gateway cannot read."""
DAY = timedelta(days=1)
OTHERS = (
    *("河东实验小学", "城关中心小学", "第二小学", "东风路小学", "新华学校附属小学", "育才小学", "第三中学"),
    *("青山湖九年一贯制实验学校（南校区）", "向阳小学", "民族小学", "第五中学", "石桥镇中心小学"),
)
"""What the other schools of the district are called; the first of them has a class, but no homework yet."""
OPENED_BY_LINK = (Kind.INVITE, Kind.RESET)
LAST_HEARD_DAYS = (0, 0, 9)
"""When homework of the next ones came: so many days ago."""


@dataclass
class LivedIn:
    """Where the site is, the secrets of signed-in browsers by who holds them, and addresses of its pages."""

    url: str
    store: Store
    school: SimulatedSchool
    tokens: dict[str, str] = field(default_factory=dict)
    addresses: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Of each page: who looks at it ("": nobody is signed in), and where it is."""

    def cookie(self, who: str) -> dict[str, str]:
        """What a browser needs to be that person."""
        return {"name": "classbox", "value": self.tokens[who], "url": self.url}


@asynccontextmanager
async def lived_in(folder: Path, *, homeworks: int = 7, size: int = SIZE) -> AsyncIterator[LivedIn]:
    """A small district; the first school has two classes with homework, a test not yet released, things to look at."""
    file = folder / "gateway.toml"
    file.write_text('data = "data"\n')
    async with open_store(load_config(file)) as store:
        school = await _first(store, homeworks, size)
        await _others(store)
        await SummaryWorker(store).catch_up()
        sign_on = SignOn(SsoConfig(issuer="http://127.0.0.1:9", client_id="classbox", title="统一身份认证"))
        access = Access(store, passwords=Passwords(QUICK), sign_on=sign_on)
        site = make_site(
            store,
            Changes(),
            lambda: Status(broker_connected=True, counts={}),
            access=access,
            door=Door(open=False, any_address=True),
        )
        runner = web.AppRunner(site, handler_cancellation=True, shutdown_timeout=1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        found = LivedIn(f"http://127.0.0.1:{runner.addresses[0][1]}", store, school)
        _name(found, homeworks, await _people(found, access))
        await _programs(found, access)
        try:
            yield found
        finally:
            await runner.cleanup()


async def _others(store: Store) -> None:
    """The titles of all, and twelve more schools: of some a piece of homework came, today or long ago, of most none."""
    for number, title in enumerate(OTHERS, 2):
        name = f"no-{number}"
        if number > 2 + len(LAST_HEARD_DAYS):
            async with store.writing() as connection:
                await add_school(connection, store.vault, name, title=title)
            continue
        school = await make_school(store, MODEL, school=name, class_name="三年级1班", size=12)
        async with store.writing() as connection:
            await connection.execute(update(schools).where(schools.c.school_id == name).values(title=title))
        if number > 2:
            at = datetime.now(UTC) - LAST_HEARD_DAYS[number - 3] * DAY
            ingest = StoreIngest(store, now_ms=lambda at=at: int(at.timestamp() * 1000), on_change=lambda _: None)
            await ingest.take([school.box.envelope(Lane.DOCUMENTS, school.pupils.documents())])
            await ingest.take([school.box.envelope(Lane.RESULTS, school.pupils.results())])
    async with store.writing() as connection:
        await connection.execute(update(schools).where(schools.c.school_id == "no-1").values(title="第一小学"))


async def _first(store: Store, homeworks: int, size: int) -> SimulatedSchool:
    """第一小学: the last piece of homework came today and waits for a look, the one before it is a test."""
    school = await make_school(store, MODEL, class_name=CLASS, size=size)
    async with store.writing() as connection:
        await bring_in(connection, store.vault, "no-1", make_roster("三年级1班", 12))
        await enrol_box(connection, store.vault, "no-1", "box-2")
    roster, chance = school.pupils.roster, random.Random(7)
    for number in range(homeworks):
        at = datetime.now(UTC) - (homeworks - 1 - number) * DAY
        last, test = number == homeworks - 1, number == homeworks - 2
        homework = _homework(number, due=at + DAY / 2, test=test)
        pupils = SimulatedClass(homework, roster, school_key=school.school_key, seed=number)
        pupils.layout = plain_layout(homework, sheet=f"S-{number}")
        sheets = [pupils.result(one) for one in roster.pupils if last or chance.random() < 0.95]
        if last:
            sheets = sheets[:-3]
        at_ms = int(at.timestamp() * 1000)
        ingest = StoreIngest(store, now_ms=lambda at_ms=at_ms: at_ms, on_change=lambda _: None)
        await ingest.take([school.box.envelope(Lane.DOCUMENTS, pupils.documents())])
        await ingest.take([school.box.envelope(Lane.RESULTS, sheets)])
        if number == homeworks - 3:
            again = [pupils.result(one, attempt=2) for one in roster.pupils[:6]]
            await ingest.take([school.box.envelope(Lane.RESULTS, again)])
        if last:
            crops = [_crop(school, homework, sheet, place) for sheet in sheets for place in _doubted(sheet)]
            await ingest.take([school.box.envelope(Lane.CROPS, crops)])
    await school.ingest.take([school.box.envelope(Lane.RESULTS, [BROKEN, BROKEN])])
    return school


def _homework(number: int, *, due: datetime, test: bool) -> Assignment:
    items = tuple(
        msgspec.structs.replace(item, knowledge=(POINTS[place % len(POINTS)],))
        for place, item in enumerate(MODEL.items)
    )
    title = "第三单元测验" if test else f"{MODEL.title}（{number + 1}）"
    mode = "test" if test else "homework"
    return msgspec.structs.replace(
        MODEL, id=f"hw-{number + 1}", title=title, items=items, mode=mode, due=due.isoformat(timespec="seconds")
    )


def _doubted(sheet: object) -> Sequence[int]:
    """The places of what waits for a look."""
    return [place for place, item in enumerate(sheet.items) if item.reading is None]  # type: ignore[attr-defined]


def _crop(school: SimulatedSchool, homework: Assignment, sheet: object, place: int) -> CropRecord:
    fields = [(item.id, blank) for item in homework.items for blank in range(1, item.blanks + 1)]
    name = (sheet.capture, *fields[place])  # type: ignore[attr-defined]
    image = Image.new("L", (150, 60), 250)
    ImageDraw.Draw(image).text((40, 8), "56", fill=30, font_size=44)
    kept = io.BytesIO()
    image.save(kept, "WEBP")
    sealed = seal(school.school_key, kept.getvalue(), crop_place(*name))
    return CropRecord(capture=name[0], item=name[1], blank=name[2], revision=1, sealed=sealed)


async def _people(found: LivedIn, access: Access) -> dict[Kind, str]:
    """Somebody of each role, signed in; the addresses of an invitation and of a new password that nobody took up."""
    child = pseudonym(found.school.school_key, found.school.pupils.roster.pupils[0].pupil_id)
    everybody: dict[str, tuple[str, tuple[Grant, ...]]] = {
        "teacher": ("王老师", (_grant(Role.TEACHER, class_name=CLASS),)),
        "head": ("李校长", (_grant(Role.HEAD),)),
        "district": ("区教研室 陈", (_grant(Role.DISTRICT, None),)),
        "parent": ("学生01的家长", (_grant(Role.PARENT, class_name=CLASS, pupil=child),)),
        "child": ("学生01", (_grant(Role.PUPIL, class_name=CLASS, pupil=child),)),
        "admin": ("林管理员", (_grant(Role.ADMIN, None),)),
    }
    password, now_ms = await access.passwords.hashed(GOOD), access.now_ms()
    async with found.store.writing() as connection:
        for login, (name, grants) in everybody.items():
            person = await add_person(connection, found.store.vault, login=login, name=name, now_ms=now_ms)
            await set_password(connection, person, password)
            for grant in grants:
                await giving.give(connection, person, grant, by=0)
            found.tokens[login] = await access.sessions.open(
                connection, person, "Mozilla/5.0 (X11) Chromium", strong=login == "admin"
            )
        new = await add_person(connection, found.store.vault, login="zhao", name="赵老师", now_ms=now_ms)
        await giving.give(connection, new, _grant(Role.TEACHER, class_name="三年级1班", subject="math"), by=0)
        by_now = int(time.time() * 1000)
        secrets = {kind: await make_link(connection, kind, new, by=0, now_ms=by_now) for kind in OPENED_BY_LINK}
    return {kind: f"/{kind.value}/{secret}" for kind, secret in secrets.items()}


async def _programs(found: LivedIn, access: Access) -> None:
    """A key of the school and one of the district, and a program that is told."""
    head, officer = [await access.sessions.person(found.tokens[who]) for who in ("head", "district")]
    assert head is not None
    assert officer is not None
    now_ms = access.now_ms()
    async with found.store.writing() as connection:
        for giver, school, title, scopes in (
            (head, "no-1", "教务系统", (Deed.SEE_CLASS, Deed.SEE_PUPIL, Deed.EXPORT, Deed.EDIT_ROSTER)),
            (officer, None, "区数据平台", GOOD_FOR_DISTRICT),
        ):
            await make_key(connection, school, giver, title=title, scopes=scopes, days=180, now_ms=now_ms)
        told = "https://jiaowu.no-1.example.edu.cn/classbox/finished-classes"
        await add_hook(connection, found.store.vault, "no-1", told, made_by=head.id, now_ms=now_ms)


def _grant(role: Role, school: str | None = "no-1", **more: object) -> Grant:
    values = {"class_name": None, "subject": None, "pupil": None, "from_ms": 0, "until_ms": None, **more}
    return Grant(role, school, **values)  # type: ignore[arg-type]


def _name(found: LivedIn, homeworks: int, links: dict[Kind, str]) -> None:
    """The addresses of pages, each with who looks at it."""
    school = school_address("no-1")
    newest, test = (report_address("no-1", CLASS, f"hw-{homeworks - back}") for back in (0, 1))
    child = pupil_address("no-1", pseudonym(found.school.school_key, found.school.pupils.roster.pupils[0].pupil_id))
    found.addresses = {
        "login": ("", "/login"),
        "invite": ("", links[Kind.INVITE]),
        "reset": ("", links[Kind.RESET]),
        "link-over": ("", "/invite/nobody-has-this-one"),
        "start-teacher": ("teacher", "/"),
        "start-head": ("head", "/"),
        "start-parent": ("parent", "/"),
        "start-district": ("district", "/"),
        "start-admin": ("admin", "/"),
        "week": ("teacher", "/week"),
        "class": ("teacher", class_address("no-1", CLASS)),
        "report": ("teacher", newest),
        "report-test": ("teacher", test),
        "more": ("teacher", f"{newest}/more"),
        "item": ("teacher", f"{newest}/items/2"),
        "screen": ("teacher", f"{newest}/screen"),
        "review": ("teacher", f"{newest}/review"),
        "review-school": ("head", f"{school}/review"),
        "pupil": ("teacher", child),
        "pupil-parent": ("parent", child),
        "pupil-child": ("child", child),
        "absences": ("teacher", f"{newest}/absences"),
        "forget": ("head", f"{child}/forget"),
        "rosters": ("head", f"{school}/rosters"),
        "roster-class": ("head", f"{school}/rosters/classes/{CLASS}"),
        "homework": ("head", f"{school}/homework"),
        "homework-one": ("head", f"{school}/homework/hw-1"),
        "homework-new": ("head", f"{school}/homework/new"),
        "school": ("head", school),
        "school-knowledge": ("head", f"{school}/knowledge"),
        "school-load": ("head", f"{school}/load"),
        "school-adoption": ("head", f"{school}/adoption"),
        "people": ("head", f"{school}/people"),
        "class-people": ("teacher", f"{school}/people/classes/{CLASS}"),
        "keys": ("head", f"{school}/keys"),
        "keys-district": ("district", "/district/keys"),
        "audit": ("head", "/audit"),
        "me": ("head", "/me"),
        "district": ("district", "/district"),
        "district-knowledge": ("district", "/district/knowledge"),
        "district-load": ("district", "/district/load"),
        "district-adoption": ("district", "/district/adoption"),
        "district-freshness": ("district", "/district/freshness"),
        "school-empty": ("district", school_address("no-6")),
        "people-all": ("admin", "/people"),
        "boxes": ("admin", f"{school}/boxes"),
        "held": ("admin", f"{school}/held"),
        "sign-on": ("head", "/me/sign-on"),
        "second-factor": ("admin", "/me/code"),
        "refused": ("parent", f"{school}/people"),
        "nowhere": ("teacher", "/nowhere"),
    }
