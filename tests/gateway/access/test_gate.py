"""The way in: signing in and out, links that are handed over, what ends, and what is written down."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import quote

import pytest
from aiohttp import ClientError
from multidict import CIMultiDict

from gateway.access import grants as giving
from gateway.access.access import Access
from gateway.access.audit import FLUSHED_EVERY_S, Line, lines
from gateway.access.deeds import Deed
from gateway.access.gate import Door, may_be_our_proxy
from gateway.access.links import Kind, make_link
from gateway.access.people import set_totp
from gateway.store.store import Store
from sync.errors import StoreTrouble
from tests.gateway.access.conftest import GOOD, Clock
from tests.gateway.access.town import ASSIGNMENT, CLASS, OTHER, OTHER_CLASS, OWN, Town, town

REPORT = f"/schools/{OWN}/classes/{CLASS}/assignments/{ASSIGNMENT.id}"
VISIT = {"Sec-Fetch-Mode": "navigate"}
NAMES = [f"学生{seat:02d}" for seat in range(1, 13)]


@pytest.fixture
async def there(store: Store, access: Access) -> AsyncIterator[Town]:
    async with town(store, access) as running:
        yield running


async def written(there: Town, school: str | None = OWN) -> list[Line]:
    await there.access.audit.flush()
    async with there.store.reading() as connection:
        return await lines(connection, school)


def crumbs(response: object) -> dict[str, str]:
    return {name: morsel.value for name, morsel in response.cookies.items()}  # type: ignore[attr-defined]


# --- signing in and out ---------------------------------------------------------------------------------------


async def test_whoever_is_not_signed_in_is_led_to_the_sign_in_and_back_to_where_they_wanted(there: Town) -> None:
    led = await there.ask(None, f"{REPORT}?x=1", headers=VISIT)
    assert led.status == 303
    place = led.headers["Location"]
    assert place == f"/login?next={REPORT}?x%3D1"
    form = await (await there.ask(None, place)).text()
    assert f'value="{REPORT}?x=1"' in form
    wrong = await there.ask(
        None, "/login", "POST", data={"name": "whole", "password": "wrong wrong wrong", "next": REPORT}
    )
    assert wrong.status == 403
    assert "登录名或密码不对" in await wrong.text()
    right = await there.ask(None, "/login", "POST", data={"name": "Whole", "password": GOOD, "next": REPORT})
    assert (right.status, right.headers["Location"]) == (303, REPORT)
    there.tokens["me"] = crumbs(right)["classbox"]
    page = await there.ask("me", REPORT)
    assert page.status == 200
    assert NAMES[0] in await page.text()
    out = await there.ask("me", "/signout", "POST")
    assert out.headers["Location"] == "/login"
    assert await there.status("me", REPORT, headers=VISIT) == 303


ELSEWHERE = (
    *("https://evil.example/", "//evil.example", "/\\evil.example", "\\\\evil.example", "javascript:alert(1)"),
    *("/\t/evil.example", "\n//evil.example", "///evil.example", "/login?next=/login", "/signout", "evil", ""),
)


async def test_signing_in_leads_nowhere_else(there: Town) -> None:
    for place in ELSEWHERE:
        right = await there.ask(None, "/login", "POST", data={"name": "whole", "password": GOOD, "next": place})
        assert (right.status, right.headers["Location"]) == (303, "/"), place
        assert (await there.ask("whole", f"/login?next={quote(place, safe='')}")).headers["Location"] == "/", place


async def test_a_program_is_told_and_not_led(there: Town) -> None:
    assert await there.status(None, f"/api/1{REPORT}/report") == 401
    assert await there.status(None, "/live") == 401


async def test_cookies_are_out_of_reach_for_scripts_and_other_sites(there: Town) -> None:
    right = await there.ask(None, "/login", "POST", data={"name": "whole", "password": GOOD})
    for morsel in right.cookies.values():
        if morsel.value:
            assert morsel["httponly"]
            assert morsel["samesite"] == "Lax"


async def test_with_a_second_factor_the_password_opens_nothing_yet(there: Town) -> None:
    async with there.store.writing() as connection:
        await set_totp(connection, there.store.vault, there.ids["head"], b"SECRET")
    right = await there.ask(None, "/login", "POST", data={"name": "head", "password": GOOD, "next": "/me"})
    assert right.headers["Location"] == "/login/code?next=%2Fme"
    assert "classbox" not in crumbs(right)


# --- links ----------------------------------------------------------------------------------------------------


async def test_links_are_used_up_by_the_form_and_not_by_looking(there: Town) -> None:
    await _use(there, Kind.INVITE, "whole", "another fine sentence")
    await _use(there, Kind.RESET, "head", "one more fine sentence")


async def _use(there: Town, kind: Kind, who: str, new: str) -> None:
    async with there.store.writing() as connection:
        secret = await make_link(connection, kind, there.ids[who], by=0, now_ms=there.access.now_ms())
    address = f"/{kind.value}/{secret}"
    for _ in range(3):
        assert await there.status(None, address) == 200
    for bad in ({"password": "short", "again": "short"}, {"password": new, "again": "something else"}):
        assert await there.status(None, address, "POST", data=bad) == 400
    done = await there.ask(None, address, "POST", data={"password": new, "again": new})
    assert done.status == 303
    assert await there.status(who, "/me") == 401, "what was signed in with the old password is out"
    there.tokens["me"] = crumbs(done)["classbox"]
    assert await there.status("me", "/me") == 200
    assert await there.status(None, address) == 404
    assert await there.status(None, address, "POST", data={"password": new, "again": new}) == 404
    assert await there.status(None, f"/{kind.value}/{'x' * 43}") == 404


async def test_a_new_password_needs_the_old_one_and_signs_the_others_out(there: Town) -> None:
    there.tokens["thief"] = crumbs(await there.ask(None, "/login", "POST", data={"name": "whole", "password": GOOD}))[
        "classbox"
    ]
    new = "another fine sentence"
    asked = {"password": new, "again": new}
    assert await there.status("thief", "/me/password", "POST", data={**asked, "old": "guess guess guess"}) == 400
    changed = await there.ask("whole", "/me/password", "POST", data={**asked, "old": GOOD})
    assert changed.headers["Location"] == "/me?changed"
    assert await there.status("whole", "/me") == 200
    assert await there.status("thief", "/me") == 401


async def test_nobody_ends_another_persons_session(there: Town) -> None:
    async with there.store.reading() as connection:
        (line,) = await there.access.sessions.of(connection, there.ids["head"])
    assert await there.status("whole", "/me/devices", "POST", data={"session": line.digest.hex()}) == 303
    assert await there.status("head", "/me") == 200


# --- rows and names -------------------------------------------------------------------------------------------


async def shown(there: Town, who: str) -> list[tuple[str, str]]:
    found = await (await there.ask(who, "/api/1/schools")).json()
    return sorted((line["school"], line["class"]) for line in found["lines"])


async def test_the_start_page_shows_each_what_is_theirs(there: Town) -> None:
    assert await shown(there, "head") == await shown(there, "whole") == await shown(there, "maths") == [(OWN, CLASS)]
    for who in ("chinese", "parent", "district", "admin", "strong", "nothing"):
        assert await shown(there, who) == [], who
        assert "第三单元" not in await (await there.ask(who, "/")).text()


async def test_homework_of_another_subject_or_of_none_that_is_known_is_closed(there: Town) -> None:
    assert await there.status("maths", REPORT) == 200
    assert await there.status("chinese", REPORT) == 403
    unknown = f"/schools/{OWN}/classes/{CLASS}/assignments/unknown"
    assert [await there.status(who, unknown) for who in ("maths", "whole", "head")] == [403, 404, 404]
    assert await there.status("head", f"/schools/{OWN}/classes/-/assignments/{ASSIGNMENT.id}") == 200
    assert await there.status("whole", f"/schools/{OWN}/classes/-/assignments/{ASSIGNMENT.id}") == 403


async def test_no_page_shows_a_name_to_whoever_is_not_of_that_school(there: Town) -> None:
    """Every room that answers at once, as it is: to those who see no names, and to staff of the other school."""
    from tests.gateway.access.test_every_room import filled

    for room in there.rooms.rooms:
        if room.method != "GET" or room.path.endswith("/live"):
            continue
        for who, school in (("district", OWN), ("strong", OWN), ("nothing", OWN), ("head", OTHER), ("whole", OTHER)):
            answer = await there.ask(who, filled(room, there, school=school))
            text = (await answer.read()).decode(errors="replace")
            assert not [name for name in NAMES if name in text], (who, room.path)


# --- what ends, and when --------------------------------------------------------------------------------------


async def over_within(response: object, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            async for _ in response.content:  # type: ignore[attr-defined]
                pass
    except TimeoutError:
        return False
    except (OSError, ClientError):
        return True
    return True


async def test_an_open_page_ends_with_the_session_that_opened_it(there: Town, clock: Clock) -> None:
    mine, others = await there.ask("whole", f"{REPORT}/live"), await there.ask("head", f"{REPORT}/live")
    await there.end("whole")
    clock.pass_ms(5_000)  # so long another gateway may remember it
    assert await over_within(mine, 5)
    assert not await over_within(others, 0.2)
    others.close()


async def test_an_open_page_ends_when_the_grant_does(there: Town, clock: Clock) -> None:
    stream = await there.ask("substitute", f"{REPORT}/live")
    end_ms = giving.midnight_ms(clock())
    while clock() < end_ms - 3_600_000:
        clock.pass_hours(1)
        assert await there.status("substitute", "/me") == 200
    clock.now_ms = end_ms - 1
    assert await there.status("substitute", REPORT) == 200
    clock.pass_ms(1)
    assert await there.status("substitute", REPORT) == 403
    assert await over_within(stream, 5)


# --- names of the machine, and proxies ------------------------------------------------------------------------


async def test_a_foreign_name_that_leads_here_opens_nothing(there: Town) -> None:
    for name in ("evil.example", "10.1.2.3", "localhost.evil.example", ""):
        assert await there.status("head", "/me", headers={"Host": name}) in (400, 421), name
    assert await there.status("head", "/me", headers={"Host": "localhost:8700"}) == 200


async def test_behind_a_proxy_the_caller_is_whom_the_proxy_says_and_cookies_are_for_tls(
    store: Store, access: Access
) -> None:
    door = Door(open=False, names={"classbox.example"}, behind_proxy=True)
    async with town(store, access, door=door) as there:
        said = {
            "Host": "classbox.example",
            "X-Forwarded-For": "1.1.1.1, 10.0.0.9",
            "Origin": "https://classbox.example",
        }
        for n in range(25):
            await there.status(None, "/login", "POST", headers=said, data={"name": f"n{n}", "password": GOOD})
        asked = {"name": "whole", "password": GOOD}
        assert await there.status(None, "/login", "POST", headers=said, data=asked) == 429
        other = {**said, "X-Forwarded-For": "10.0.0.9, 10.0.0.8"}
        right = await there.ask(None, "/login", "POST", headers=other, data=asked)
        assert right.status == 303
        assert right.cookies["__Host-classbox"]["secure"]
        assert await there.status(None, "/login", headers={**other, "Host": "127.0.0.1:1"}) == 200, "a balancer asks"


async def test_a_stranger_who_forges_what_a_proxy_writes_dodges_no_limit(store: Store, access: Access) -> None:
    """Before our proxy's entry, and in a line of their own that a proxy leaves in front of its own line."""
    door = Door(open=False, names={"classbox.example"}, behind_proxy=True)
    async with town(store, access, door=door) as there:
        own = [("Host", "classbox.example"), ("Origin", "https://classbox.example"), ("Sec-Fetch-Site", "same-origin")]
        statuses = []
        for n in range(30):
            forged = f"9.9.{n}.1"
            said = CIMultiDict([*own, ("X-Forwarded-For", f"{forged}, {forged}")])
            said.add("X-Forwarded-For", "203.0.113.7")
            answer = await there.client.post("/login", headers=said, data={"name": f"n{n}", "password": GOOD})
            statuses.append(answer.status)
        assert statuses[-1] == 429, "each try passed for another caller's"


@pytest.mark.parametrize(
    ("remote", "trusted"),
    [
        ("127.0.0.1", True), ("::1", True), ("10.0.0.5", True), ("192.168.1.2", True), ("::ffff:172.16.0.9", True),
        (None, True), ("8.8.8.8", False), ("2001:4860:4860::8888", False), ("::ffff:8.8.8.8", False), ("x", False),
    ],
)  # fmt: skip
def test_nobody_out_on_the_internet_is_our_proxy(remote: str | None, *, trusted: bool) -> None:
    assert may_be_our_proxy(remote) is trusted


async def test_on_an_open_machine_everything_is_there_and_says_that_it_is_open(store: Store, access: Access) -> None:
    async with town(store, access, door=Door()) as there:
        page = await there.ask(None, REPORT)
        assert page.status == 200
        assert "看到的都一样" in await page.text()
        assert (await there.ask(None, "/login")).headers["Location"] == "/"
        assert await there.status(None, "/signout", "POST") == 403
        (line,) = await written(there)
        assert (line.person, line.deed) == (0, Deed.SEE_CLASS)


# --- what is written down -------------------------------------------------------------------------------------


async def test_looks_files_and_refusals_are_written_down_without_names(there: Town) -> None:
    for _ in range(3):
        await there.status("whole", REPORT)
    await there.status("head", f"{REPORT}.csv")
    await there.status("chinese", REPORT)
    await there.status("whole", f"/schools/{OTHER}/classes/{CLASS}/assignments/{ASSIGNMENT.id}")
    await there.status("head", f"/schools/{OWN}/classes/{OTHER_CLASS}/assignments/{ASSIGNMENT.id}")
    who = {number: name for name, number in there.ids.items()}
    found = sorted((who[line.person], line.deed, line.thing, line.detail) for line in await written(there))
    what = f"class={CLASS} assignment={ASSIGNMENT.id}"
    assert found == [
        ("chinese", "see-class", what, "refused"),
        ("head", "export", what, ".csv"),
        ("head", "see-class", what.replace(CLASS, OTHER_CLASS), ""),
        ("whole", "see-class", what, ""),
    ]
    assert [line.detail for line in await written(there, OTHER)] == ["refused"]
    assert not [name for name in (*NAMES, "Name of") if name in str(found)]


async def test_no_file_goes_out_that_could_not_be_written_down(there: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full() -> None:
        raise StoreTrouble("The disk is full.", remedy="Make room.")

    monkeypatch.setattr(there.access.audit, "flush", full)
    answer = await there.ask("head", f"{REPORT}.csv")
    assert answer.status == 503
    assert NAMES[0] not in await answer.text()


async def test_what_was_done_is_on_the_disk_within_a_second(there: Town) -> None:
    assert FLUSHED_EVERY_S < 1
    await there.status("whole", REPORT)
    found: list[Line] = []
    async with asyncio.timeout(30):  # nobody asks for it to be written, so that it comes at all is what is looked at
        while not found:
            await asyncio.sleep(0.05)
            async with there.store.reading() as connection:
                found = await lines(connection, OWN)
    assert [line.deed for line in found] == ["see-class"]
