"""The results of a test are the teachers' own until one of them lets the families see them."""

import msgspec
import pytest
from sqlalchemy import select

from gateway.access.access import Access
from gateway.access.person import Role
from gateway.reports.worker import SummaryWorker
from gateway.simulated_class import plain_layout
from gateway.store.store import Store
from gateway.store.tables.people import audit
from sync.lanes import Lane
from sync.records import CropRecord, crop_place
from sync.sealing import seal
from tests.gateway.access.town import ASSIGNMENT, CLASS, OTHER_CLASS, OWN, Town, granted, town
from tests.gateway.judged import judged
from tests.gateway.test_report_pages import opened, words_of

QUIZ = "quiz-1"
REPORT = f"/schools/{OWN}/classes/{CLASS}/assignments/{QUIZ}"
TERM = "?term=2026-autumn"


async def with_a_quiz(there: Town) -> None:
    """Seat 1 got the first item of a test wrong; a picture of that answer is here."""
    school = there.schools[OWN]
    pupils = school.pupils
    pupils.assignment = msgspec.structs.replace(ASSIGNMENT, id=QUIZ, title="测验一", mode="test", due=None)
    pupils.layout = plain_layout(pupils.assignment, sheet="S-quiz")
    (sheet, *_) = sheets = [judged(pupils.result(one), {0}, reading="83") for one in pupils.roster.pupils[:2]]
    place = (sheet.capture, "1", 1)
    sealed = seal(school.school_key, b"RIFF picture", crop_place(*place))
    picture = CropRecord(capture=place[0], item=place[1], blank=place[2], revision=1, sealed=sealed)
    await school.ingest.take([school.box.envelope(Lane.DOCUMENTS, pupils.documents())])
    await school.ingest.take([school.box.envelope(Lane.RESULTS, sheets)])
    await school.ingest.take([school.box.envelope(Lane.CROPS, [picture])])
    await SummaryWorker(there.store).catch_up()
    there.picture = f"/schools/{OWN}/crops/{place[0].hex()}/{place[1]}/{place[2]}"  # type: ignore[attr-defined]


async def page(there: Town, who: str, path: str) -> str:
    answer = await there.ask(who, path, headers={"Accept-Language": "zh-CN"})
    assert answer.status == 200, (who, path, answer.status)
    return await answer.text()


def pupil(there: Town, seat: int = 1) -> str:
    return f"/schools/{OWN}/pupils/{there.pupil(seat=seat).hex()}"


async def test_a_family_sees_a_test_once_it_is_released_and_teachers_always(store: Store, access: Access) -> None:
    async with town(store, access) as there:
        await with_a_quiz(there)
        for released, word in ((False, None), (True, "release"), (True, "release"), (False, "hold-back")):
            if word is not None:
                assert await there.status("whole", f"{REPORT}/{word}", "POST") == 303
            family, teacher = await page(there, "parent", pupil(there)), await page(there, "whole", pupil(there))
            assert "测验一" in family, "that it was handed in is no secret"
            assert ("✗ 83" in family, "老师还没有发布" in family) == (released, not released)
            assert ("✗ 83" in teacher, "测验，未发布" in teacher) == (True, not released)
            assert await there.status("parent", there.picture) == (200 if released else 404)  # type: ignore[attr-defined]
            assert await there.status("whole", there.picture) == 200  # type: ignore[attr-defined]
            report = await page(there, "whole", REPORT)
            assert (f"{REPORT}/hold-back" in report, f"{REPORT}/release" in report) == (released, not released)


async def test_whoever_teaches_the_class_and_the_head_release_and_nobody_else(store: Store, access: Access) -> None:
    async with town(store, access) as there:
        await with_a_quiz(there)
        for who in ("maths", "whole", "head"):
            assert await there.status(who, f"{REPORT}/release", "POST") == 303, who
            assert await there.status(who, f"{REPORT}/hold-back", "POST") == 303, who
        for who in ("parent", "chinese", "substitute", "district", "strong", "nothing"):
            assert await there.status(who, f"{REPORT}/release", "POST") == 403, who
        assert "发布给家长和学生" not in await page(there, "substitute", REPORT), "a button that does nothing for them"
        assert "✗ 83" not in await page(there, "parent", pupil(there))
        await there.access.audit.flush()
        async with store.reading() as connection:
            rows = await connection.execute(select(audit.c.person_id, audit.c.detail).where(audit.c.deed == "release"))
            done = [(row.person_id, row.detail) for row in rows if row.detail != "refused"]
        assert sorted(done) == sorted(
            (there.ids[who], word) for who in ("maths", "whole", "head") for word in ("release", "hold-back")
        )


async def test_homework_has_nothing_to_release(store: Store, access: Access) -> None:
    async with town(store, access) as there:
        own = REPORT.replace(QUIZ, ASSIGNMENT.id)
        assert "测验" not in await page(there, "whole", own)


async def test_the_slip_for_the_parents_tells_no_more_than_the_parents_may_know(
    store: Store, access: Access, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A teacher who sees the test prints slips that families take home."""
    told: list[int] = []

    def seen(report: object, _language: str, **_more: object) -> object:
        told.append(sum(len(report.states.get(one.assignment, ())) for one in report.sheets if one.test))  # type: ignore[attr-defined]
        raise RuntimeError

    monkeypatch.setattr("gateway.web.pages.pupil.parents_slip", seen)
    async with town(store, access) as there:
        await with_a_quiz(there)
        for path in (f"{pupil(there)}/slip.pdf", f"/schools/{OWN}/classes/{CLASS}/slips.pdf"):
            assert await there.status("whole", path) == 500
        assert await there.status("whole", f"{REPORT}/release", "POST") == 303
        assert await there.status("whole", f"{pupil(there)}/slip.pdf") == 500
    assert told[:2] == [0, 0]
    assert told[2] > 0


async def test_no_words_are_a_teachers_own_before_a_teacher_saves_them(store: Store, access: Access) -> None:
    """A family reads what was saved, on the page and on its own slip; a teacher's slip calls the rest made by rules."""

    async def on_slip(who: str) -> str:
        answer = await there.ask(who, f"{pupil(there)}/slip.pdf", headers={"Accept-Language": "zh-CN"})
        with opened(await answer.read()) as document:
            return "".join(words_of(document)).replace(" ", "")

    async with town(store, access) as there:
        await with_a_quiz(there)
        assert "老师的话" not in await page(there, "parent", pupil(there))
        assert "这是建议，还没有保存" in await page(there, "whole", pupil(there))
        assert ("老师的话" in (by := await on_slip("whole")), "自动小结" in by) == (False, True)
        assert ("老师的话" in (by := await on_slip("parent")), "自动小结" in by) == (False, False)
        said = {"comment": "字写得很端正。"}
        assert await there.status("whole", f"{pupil(there)}/comment", "POST", data=said) == 303
        assert "字写得很端正。" in (await page(there, "parent", pupil(there))).partition("老师的话")[2]
        for who in ("whole", "parent"):
            assert "字写得很端正" in (by := await on_slip(who)).partition("老师的话")[2]
            assert "自动小结" not in by


async def test_who_teaches_at_the_school_sees_the_own_child_as_any_parent_does(store: Store, access: Access) -> None:
    """In every class: not only where the parent teaches."""
    async with town(store, access) as there:
        await with_a_quiz(there)
        child = granted(Role.PARENT, class_name=CLASS, pupil=there.pupil())
        elsewhere = granted(Role.TEACHER, class_name=OTHER_CLASS)
        chinese = granted(Role.TEACHER, class_name=CLASS, subject="chinese")
        maths = granted(Role.TEACHER, class_name=CLASS, subject="math")
        await there.let_in({"elsewhere": (child, elsewhere), "beside": (child, chinese), "own": (child, maths)})
        for who, sees_the_test in {"elsewhere": False, "beside": False, "own": True}.items():
            shown = await page(there, who, pupil(there))
            assert ASSIGNMENT.title in shown, who
            assert ("✗ 83" in shown) == sees_the_test, who
        assert await there.status("elsewhere", pupil(there, seat=2)) == 403
        assert ASSIGNMENT.title not in await page(there, "beside", pupil(there, seat=2)), "not a subject of theirs"
