"""The pages of the second step and of signing on elsewhere, with a real provider's process."""

import re
import urllib.parse
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from html import unescape

import pyotp
import pytest
from aiohttp import ClientResponse, CookieJar, web
from aiohttp.test_utils import TestClient, TestServer
from yarl import URL

from gateway.access.access import Access
from gateway.access.audit import lines
from gateway.access.factors import factor_of
from gateway.access.gate import Door
from gateway.access.grants import give
from gateway.access.links import Kind, make_link
from gateway.access.passwords import Passwords
from gateway.access.people import add_person, disable, set_password
from gateway.access.person import Grant, Role
from gateway.access.sso import SignOn
from gateway.access.ties import is_tied
from gateway.config import SsoConfig
from gateway.store.store import Store
from gateway.web.changes import Changes
from gateway.web.rooms import Status
from gateway.web.site import make_rooms
from tests.gateway.access.conftest import GOOD, QUICK, Clock
from tests.gateway.access.hostile_provider import pressed, real_provider

SAME = {"Sec-Fetch-Site": "same-origin", "Accept": "text/html"}
ADMIN = Grant(Role.ADMIN, None, None, None, None, 0, None)


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with real_provider() as address:
        yield address


@dataclass
class Place:
    """A gateway whose people sign in, and the browsers before it."""

    access: Access
    server: TestServer
    clock: Clock
    clients: list["Browser"]

    def browser(self) -> "Browser":
        client = TestClient(self.server, cookie_jar=CookieJar(unsafe=True))
        self.clients.append(Browser(self, client))
        return self.clients[-1]

    async def person(self, login: str = "lin", *grants: Grant, password: str | None = GOOD) -> int:
        hashed = None if password is None else await self.access.passwords.hashed(password)
        store = self.access.store
        async with store.writing() as connection:
            number = await add_person(connection, store.vault, login=login, name="林老师", now_ms=self.clock())
            if hashed is not None:
                await set_password(connection, number, hashed)
            for grant in grants:
                await give(connection, number, grant, by=0)
        return number

    async def invitation(self, person: int) -> str:
        async with self.access.store.writing() as connection:
            return await make_link(connection, Kind.INVITE, person, by=0, now_ms=self.clock())

    async def audit(self) -> list[tuple[int, str, str]]:
        await self.access.audit.flush()
        async with self.access.store.reading() as connection:
            return [(line.person, line.deed, line.detail) for line in await lines(connection, None)]

    async def tied(self, person: int) -> bool:
        assert self.access.sign_on is not None
        async with self.access.store.reading() as connection:
            return await is_tied(connection, self.access.sign_on.issuer, person)


@dataclass
class Browser:
    place: Place
    client: TestClient[web.Request, web.Application]

    async def get(self, path: str, **headers: str) -> ClientResponse:
        return await self.client.get(path, headers=SAME | headers, allow_redirects=False)

    async def post(self, path: str, **fields: str) -> ClientResponse:
        return await self.client.post(path, data=fields, headers=SAME, allow_redirects=False)

    async def sign_in(self, login: str = "lin", to: str = "/") -> str:
        """Where the browser is led after the right password."""
        answer = await self.post("/login", name=login, password=GOOD, next=to)
        assert answer.status == 303
        return answer.headers["Location"]

    async def is_signed_in(self) -> bool:
        return (await self.get("/me")).status == 200

    async def sign_on(self, sub: str, begin: str = "/login/sso") -> ClientResponse:
        """There, the button of the provider's page, and back."""
        left = await self.get(begin)
        assert left.status == 303, await left.text()
        answer = await pressed(left.headers["Location"], self.back, sub=sub)
        return await self.came_back(answer)

    async def came_back(self, answer: dict[str, str]) -> ClientResponse:
        path = URL("/login/sso/back").with_query(answer)
        headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Accept": "text/html"}
        return await self.client.get(path, headers=headers, allow_redirects=False)

    @property
    def back(self) -> str:
        return str(self.client.make_url("/login/sso/back"))

    async def enrolled(self, password: str = GOOD) -> tuple[pyotp.TOTP, list[str]]:
        """Turn the second step on: the phone, and the codes on paper."""
        page = await (await self.get("/me/code")).text()
        phone = pyotp.TOTP("".join(re.findall(r"<code>([A-Z2-7 ]+)</code>", page)[0].split()))
        code = phone.at(self.place.clock.now_ms / 1000)
        answer = await self.post("/me/code", ticket=hidden(page, "ticket"), password=password, code=code)
        page = await answer.text()
        assert answer.status == 200, page
        return phone, re.findall(r"<code>([A-Z2-7-]{19})</code>", page)


def hidden(page: str, name: str) -> str:
    return unescape(re.findall(rf'name="{name}" value="([^"]*)"', page)[0])


@pytest.fixture
async def place(store: Store, clock: Clock, issuer: str) -> AsyncIterator[Place]:
    sign_on = SignOn(SsoConfig(issuer=issuer, client_id="classbox", client_secret="s", title="统一认证"))
    access = Access(store, passwords=Passwords(QUICK), now_ms=clock, sign_on=sign_on)
    rooms = make_rooms(
        store, Changes(), lambda: Status(broker_connected=True, counts={}), access=access, door=Door(open=False)
    )
    async with TestServer(rooms.app) as server:
        made = Place(access, server, clock, [])
        yield made
        for browser in made.clients:
            await browser.client.session.close()


# --- the second step ----------------------------------------------------------------------------------------


async def test_with_a_second_step_the_password_alone_opens_nothing(place: Place) -> None:
    await place.person()
    first = place.browser()
    await first.sign_in()
    phone, _paper = await first.enrolled()
    place.clock.pass_ms(60_000)
    browser = place.browser()
    assert await browser.sign_in(to="/me") == "/login/code?next=%2Fme"
    assert not await browser.is_signed_in()
    assert (await browser.get("/login/code?next=/me")).status == 200
    wrong = await browser.post("/login/code", code="000000", next="/me")
    assert wrong.status == 400
    assert not await browser.is_signed_in()
    right = await browser.post("/login/code", code=phone.at(place.clock.now_ms / 1000), next="/me")
    assert (right.status, right.headers["Location"]) == (303, "/me")
    assert await browser.is_signed_in()


async def test_a_code_that_somebody_has_seen_is_good_no_more(place: Place) -> None:
    await place.person()
    first = place.browser()
    await first.sign_in()
    phone, _paper = await first.enrolled()
    code = phone.at(place.clock.now_ms / 1000)
    browser = place.browser()
    await browser.sign_in()
    assert (await browser.post("/login/code", code=code)).status == 400


async def test_paper_signs_in_whoever_lost_the_phone(place: Place) -> None:
    lin = await place.person()
    first = place.browser()
    await first.sign_in()
    _phone, paper = await first.enrolled()
    assert len(paper) == 10
    browser = place.browser()
    await browser.sign_in()
    assert (await browser.post("/login/code", code=paper[4].lower())).status == 303
    assert await browser.is_signed_in()
    assert "9" in re.sub(r"<[^>]*>", "", await (await browser.get("/me/code")).text())
    assert (lin, "own-account", "paper code") in await place.audit()


async def test_turning_it_on_makes_this_browser_strong_and_signs_every_other_out(place: Place) -> None:
    lin = await place.person("lin", ADMIN)
    mine, other = place.browser(), place.browser()
    await mine.sign_in()
    await other.sign_in()
    await mine.enrolled()
    assert await mine.is_signed_in()
    assert not await other.is_signed_in()
    async with place.access.store.reading() as connection:
        (session,) = await place.access.sessions.of(connection, lin)
    assert session.strong
    assert (lin, "own-account", "second step on") in await place.audit()


async def test_a_page_left_open_turns_nothing_on(place: Place) -> None:
    lin = await place.person()
    browser = place.browser()
    await browser.sign_in()
    page = await (await browser.get("/me/code")).text()
    phone = pyotp.TOTP("".join(re.findall(r"<code>([A-Z2-7 ]+)</code>", page)[0].split()))
    code = phone.at(place.clock.now_ms / 1000)
    ticket = hidden(page, "ticket")
    tries = (
        {"ticket": ticket, "code": code, "password": "not mine at all"},
        {"ticket": ticket, "code": code},
        {"ticket": ticket, "code": "000000", "password": GOOD},
        {"ticket": ticket[:-8] + "AAAAAAAA", "code": code, "password": GOOD},
        {"code": code, "password": GOOD},
    )
    for fields in tries:
        assert (await browser.post("/me/code", **fields)).status == 400
    async with place.access.store.reading() as connection:
        assert not (await factor_of(connection, lin)).on


async def test_somebody_elses_secret_turns_nothing_on(place: Place) -> None:
    """A ticket that an attacker got for an own account is no good in another's browser."""
    await place.person("lin")
    await place.person("wang")
    lin, wang = place.browser(), place.browser()
    await lin.sign_in("lin")
    await wang.sign_in("wang")
    page = await (await wang.get("/me/code")).text()
    phone = pyotp.TOTP("".join(re.findall(r"<code>([A-Z2-7 ]+)</code>", page)[0].split()))
    code = phone.at(place.clock.now_ms / 1000)
    fields = {"ticket": hidden(page, "ticket"), "code": code, "password": GOOD}
    assert (await lin.post("/me/code", **fields)).status == 400


async def test_the_same_picture_is_shown_again_after_a_slip(place: Place) -> None:
    """Whoever mistypes a digit has not to scan anew."""
    await place.person()
    browser = place.browser()
    await browser.sign_in()
    page = await (await browser.get("/me/code")).text()
    again = await (await browser.post("/me/code", ticket=hidden(page, "ticket"), password=GOOD, code="1")).text()
    keys = [re.findall(r"<code>([A-Z2-7 ]+)</code>", each) for each in (page, again)]
    assert keys[0] == keys[1]


async def test_turning_it_off_needs_a_code_and_ends_what_was_strong(place: Place) -> None:
    lin = await place.person()
    browser = place.browser()
    await browser.sign_in()
    phone, paper = await browser.enrolled()
    assert (await browser.post("/me/code/off", code="123456")).status == 400
    place.clock.pass_ms(60_000)
    off = await browser.post("/me/code/off", code=phone.at(place.clock.now_ms / 1000))
    assert off.status == 303
    async with place.access.store.reading() as connection:
        (session,) = await place.access.sessions.of(connection, lin)
    assert not session.strong
    assert await browser.sign_in(to="/me") == "/me"
    assert (await browser.post("/login/code", code=paper[0])).headers["Location"] == "/me/code"


async def test_new_paper_ends_the_old(place: Place) -> None:
    await place.person()
    first = place.browser()
    await first.sign_in()
    phone, old = await first.enrolled()
    place.clock.pass_ms(60_000)
    page = await (await first.post("/me/code/paper", code=phone.at(place.clock.now_ms / 1000))).text()
    new = re.findall(r"<code>([A-Z2-7-]{19})</code>", page)
    assert len(new) == 10
    browser = place.browser()
    await browser.sign_in()
    assert (await browser.post("/login/code", code=old[0])).status == 400
    assert (await browser.post("/login/code", code=new[0])).status == 303


async def test_after_ten_wrong_codes_even_a_right_one_waits(place: Place) -> None:
    lin = await place.person()
    first = place.browser()
    await first.sign_in()
    phone, _paper = await first.enrolled()
    place.clock.pass_ms(60_000)
    browser = place.browser()
    await browser.sign_in()
    statuses = [(await browser.post("/login/code", code=f"00000{n}")).status for n in range(10)]
    assert statuses == [400] * 10
    right = phone.at(place.clock.now_ms / 1000)
    assert (await browser.post("/login/code", code=right)).status == 429
    assert (lin, "sign-in", "wrong code") in await place.audit()
    place.clock.pass_hours(0.25)
    await browser.sign_in()
    assert (await browser.post("/login/code", code=phone.at(place.clock.now_ms / 1000))).status == 303


async def test_without_a_password_first_no_code_signs_anybody_in(place: Place) -> None:
    await place.person()
    first = place.browser()
    await first.sign_in()
    _phone, paper = await first.enrolled()
    stranger = place.browser()
    answer = await stranger.post("/login/code", code=paper[0])
    assert (answer.status, answer.headers["Location"]) == (303, "/login")
    late = place.browser()
    await late.sign_in()
    place.clock.pass_hours(1)
    assert (await late.post("/login/code", code=paper[0])).headers["Location"] == "/login"


async def test_an_admin_without_a_second_step_is_led_to_it(place: Place) -> None:
    lin = await place.person("lin", ADMIN)
    browser = place.browser()
    await browser.sign_in()
    page = await (await browser.get("/me?second")).text()
    assert "/login/code?next=/me" in page
    assert (await browser.get("/login/code?next=/me")).headers["Location"] == "/me/code"
    await browser.enrolled()
    session = (await browser.get("/me?second")).status
    assert session == 200
    assert "/login/code" not in await (await browser.get("/me?second")).text()
    assert lin


# --- at another house -----------------------------------------------------------------------------------------


async def test_a_stranger_whom_the_provider_knows_is_not_let_in(place: Place) -> None:
    """Not even under the name or address of somebody here."""
    await place.person("lin@school.example")
    browser = place.browser()
    answer = await browser.sign_on("lin@school.example")
    page = await answer.text()
    assert answer.status == 403
    assert "lin@school.example" in page
    assert not await browser.is_signed_in()


async def test_whoever_tied_the_account_signs_on_with_it_from_then_on(place: Place) -> None:
    lin = await place.person()
    browser = place.browser()
    await browser.sign_in()
    proposed = await browser.sign_on("teacher-7", "/login/sso?tie=1")
    page = await proposed.text()
    assert proposed.status == 200
    assert not await place.tied(lin)
    ticket = hidden(page, "ticket")
    assert (await browser.post("/me/sign-on", ticket=ticket, password="not mine at all")).status == 400
    assert not await place.tied(lin)
    assert (await browser.post("/me/sign-on", ticket=ticket, password=GOOD)).status == 303
    assert await place.tied(lin)
    assert (lin, "own-account", "sign-on tied") in await place.audit()
    other = place.browser()
    answer = await other.sign_on("teacher-7", "/login/sso?next=/me")
    assert (answer.status, answer.headers["Location"]) == (303, "/me")
    assert await other.is_signed_in()
    assert (lin, "sign-in", "sign-on") in await place.audit()


async def tied(place: Place, login: str, sub: str) -> int:
    person = await place.person(login)
    browser = place.browser()
    await browser.sign_in(login)
    page = await (await browser.sign_on(sub, "/login/sso?tie=1")).text()
    assert (await browser.post("/me/sign-on", ticket=hidden(page, "ticket"), password=GOOD)).status == 303
    return person


async def test_an_account_there_signs_one_person_on(place: Place) -> None:
    await tied(place, "lin", "shared")
    await place.person("wang")
    browser = place.browser()
    await browser.sign_in("wang")
    page = await (await browser.sign_on("shared", "/login/sso?tie=1")).text()
    assert (await browser.post("/me/sign-on", ticket=hidden(page, "ticket"), password=GOOD)).status == 403


async def test_a_prepared_answer_ties_nothing(place: Place) -> None:
    """Whoever is lured to come back from somebody else's sign-on, or to say yes to somebody else's tie."""
    wang = await place.person("wang")
    await place.person("lin")
    attacker, victim = place.browser(), place.browser()
    await attacker.sign_in("wang")
    await victim.sign_in("lin")
    left = await attacker.get("/login/sso?tie=1")
    answer = await pressed(left.headers["Location"], attacker.back, sub="attacker")
    assert (await victim.came_back(answer)).status == 403
    page = await (await attacker.came_back(answer)).text()
    assert (await victim.post("/me/sign-on", ticket=hidden(page, "ticket"), password=GOOD)).status == 403
    cross = await attacker.client.post(
        "/me/sign-on",
        data={"ticket": hidden(page, "ticket"), "password": GOOD},
        headers={"Sec-Fetch-Site": "cross-site"},
        allow_redirects=False,
    )
    assert cross.status == 403
    assert not await place.tied(wang)


async def test_what_one_began_at_a_shared_machine_another_cannot_end(place: Place) -> None:
    await place.person("wang")
    lin = await place.person("lin")
    browser = place.browser()
    await browser.sign_in("wang")
    left = await browser.get("/login/sso?tie=1")
    answer = await pressed(left.headers["Location"], browser.back, sub="wang-there")
    await browser.post("/signout")
    await browser.sign_in("lin")
    assert (await browser.came_back(answer)).status == 403
    page = await (await browser.sign_on("lin-there", "/login/sso?tie=1")).text()
    await browser.sign_in("lin")  # another session of the same person
    assert (await browser.post("/me/sign-on", ticket=hidden(page, "ticket"), password=GOOD)).status == 403
    assert not await place.tied(lin)


async def test_an_answer_is_good_once_and_in_its_own_browser(place: Place) -> None:
    await tied(place, "lin", "once")
    browser, other = place.browser(), place.browser()
    left = await browser.get("/login/sso")
    answer = await pressed(left.headers["Location"], browser.back, sub="once")
    assert (await other.came_back(answer)).status == 403
    assert (await browser.came_back({**answer, "state": "x" * 43})).status == 403
    assert (await browser.came_back(answer)).status == 403  # that sign-on has ended
    assert not await browser.is_signed_in()


async def test_who_signed_on_elsewhere_gives_the_code_of_the_phone_as_well(place: Place) -> None:
    await tied(place, "lin", "both")
    mine = place.browser()
    await mine.sign_in()
    phone, _paper = await mine.enrolled()
    place.clock.pass_ms(60_000)
    browser = place.browser()
    answer = await browser.sign_on("both", "/login/sso?next=/me")
    assert answer.headers["Location"] == "/login/code?next=/me"
    assert not await browser.is_signed_in()
    assert (await browser.post("/login/code", code=phone.at(place.clock.now_ms / 1000))).status == 303
    assert await browser.is_signed_in()


async def test_an_invitation_can_be_taken_up_without_any_password(place: Place) -> None:
    lin = await place.person("lin", password=None)
    secret = await place.invitation(lin)
    browser = place.browser()
    begin = re.findall(r'href="(/login/sso\?invite=[^"]+)"', await (await browser.get(f"/invite/{secret}")).text())[0]
    page = await (await browser.sign_on("new-teacher", unescape(begin))).text()
    assert "林老师" in page
    assert not await place.tied(lin)
    ticket = hidden(page, "ticket")
    assert (await browser.post("/login/sso/tie", ticket=ticket)).status == 303
    assert await place.tied(lin)
    assert await browser.is_signed_in()
    again = place.browser()
    assert (await again.post("/login/sso/tie", ticket=ticket)).status == 403  # the invitation is used up
    assert (await again.sign_on("new-teacher")).status == 303


async def test_an_invitation_that_is_none_ties_nobody(place: Place) -> None:
    browser = place.browser()
    assert (await browser.sign_on("nobody", "/login/sso?invite=made-up")).status == 403


async def test_whoever_has_no_password_cannot_lock_themselves_out(place: Place) -> None:
    lin = await place.person("lin", password=None)
    secret = await place.invitation(lin)
    browser = place.browser()
    page = await (await browser.sign_on("only-way", f"/login/sso?invite={secret}")).text()
    await browser.post("/login/sso/tie", ticket=hidden(page, "ticket"))
    assert (await browser.post("/me/sign-on/off")).status == 403
    assert await place.tied(lin)


async def test_a_tie_can_be_taken_away(place: Place) -> None:
    lin = await tied(place, "lin", "for-now")
    browser = place.browser()
    await browser.sign_in()
    assert (await browser.post("/me/sign-on/off")).status == 303
    assert not await place.tied(lin)
    assert (await place.browser().sign_on("for-now")).status == 403


async def test_whoever_may_no_longer_come_in_is_not_let_in_from_elsewhere(place: Place) -> None:
    lin = await tied(place, "lin", "gone")
    async with place.access.store.writing() as connection:
        await disable(connection, lin, now_ms=place.clock())
    assert (await place.browser().sign_on("gone")).status == 403


@pytest.mark.parametrize("to", ["https://evil.example/", "//evil.example", "/\\evil.example", "/login", "javascript:1"])
async def test_after_signing_on_nobody_is_led_elsewhere(place: Place, to: str) -> None:
    await tied(place, "lin", f"led {to}")
    browser = place.browser()
    begin = str(URL("/login/sso").with_query(next=to))
    assert (await browser.sign_on(f"led {to}", begin)).headers["Location"] == "/"


async def test_signing_out_offers_to_sign_out_there_too(place: Place) -> None:
    await tied(place, "lin", "shared-pc")
    browser = place.browser()
    assert "/login/sso/out" not in await (await browser.get("/login")).text()
    await browser.sign_on("shared-pc")
    assert (await browser.post("/signout")).status == 303
    assert "/login/sso/out" in await (await browser.get("/login")).text()
    asked = (await browser.get("/login/sso")).headers["Location"]
    assert "prompt=login" in asked
    out = await browser.get("/login/sso/out")
    assert "/oauth2/end_session?" in out.headers["Location"]
    back = urllib.parse.parse_qs(urllib.parse.urlsplit(out.headers["Location"]).query)["post_logout_redirect_uri"]
    assert back == [str(browser.client.make_url("/login"))]
    assert "/login/sso/out" not in await (await browser.get("/login")).text()


async def test_a_stranger_to_us_can_sign_out_there_too(place: Place) -> None:
    """Who has only looked whether it works is signed on there all the same."""
    browser = place.browser()
    await browser.sign_on("nobody-here")
    assert "/login/sso/out" in await (await browser.get("/login")).text()


async def test_nobody_makes_us_ask_the_provider_without_end(place: Place) -> None:
    browser = place.browser()
    statuses = [(await browser.get("/login/sso")).status for _ in range(14)]
    assert statuses[0] == 303
    assert statuses[-1] == 429


async def test_the_pages_need_somebody_who_is_signed_in(place: Place) -> None:
    stranger = place.browser()
    for path in ("/me/code", "/me/sign-on"):
        assert (await stranger.get(path)).headers["Location"].startswith("/login?next=")
    for path in ("/me/code", "/me/code/paper", "/me/code/off", "/me/sign-on", "/me/sign-on/off"):
        assert (await stranger.post(path)).status == 401
    assert (await stranger.get("/login/sso?tie=1")).headers["Location"] == "/login"
    assert (await stranger.post("/login/sso/tie", ticket="x")).status == 403


async def test_a_provider_that_is_away_keeps_nobody_from_the_password(store: Store, clock: Clock) -> None:
    sign_on = SignOn(SsoConfig(issuer="http://127.0.0.1:9", client_id="classbox", title="统一认证"))
    access = Access(store, passwords=Passwords(QUICK), now_ms=clock, sign_on=sign_on)
    rooms = make_rooms(
        store, Changes(), lambda: Status(broker_connected=True, counts={}), access=access, door=Door(open=False)
    )
    async with TestServer(rooms.app) as server:
        place = Place(access, server, clock, [])
        await place.person()
        browser = place.browser()
        away = await browser.get("/login/sso")
        assert away.status == 503
        assert "现在连不上统一认证" in await away.text()
        assert await browser.sign_in() == "/"
        await browser.client.session.close()
