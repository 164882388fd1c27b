"""Who may come in: at a school, and for all schools. Letting somebody in, a substitute for a day, ending it.

What a link is handed over with is shown once: nobody can look it up again.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple
from urllib.parse import quote

from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.access import Access
from gateway.access.deeds import SOME, Deed, Thing
from gateway.access.grants import Given, end, give, given, grants_at, grants_of_all, midnight_ms
from gateway.access.links import Kind, make_link
from gateway.access.people import Account, account, account_called, accounts, add_person, disable, made_up_login
from gateway.access.person import Grant, Person, Role
from gateway.access.request_keys import NOTED
from gateway.access.rules import may, may_grant, may_reset
from gateway.access.totp import qr_picture
from gateway.store.schools import class_sizes, school_titles
from gateway.web.chosen import Chosen
from gateway.web.pages.login import see_other
from gateway.web.people_words import grant_words
from gateway.web.rooms import Rooms, some_class
from homework.by_name import by_name
from homework.errors import ClassboxError, UsageError
from homework.load import subject_of
from homework.wording import Translate
from ui.forms import small_form
from ui.language import translator
from ui.pages import language_of, render
from ui.strangers import is_our_name

SUBSTITUTE = "substitute"
_STAFF = (Role.TEACHER, Role.HEAD, Role.ADMIN, Role.DISTRICT)


class _Role(NamedTuple):
    """A grant on the page."""

    id: int
    words: str
    may_end: bool


class _Row(NamedTuple):
    """A person on the page. `may_link`: whoever looks may hand over a link to this account, or close it."""

    account: Account
    roles: tuple[_Role, ...]
    may_link: bool
    me: bool


class _Handed(NamedTuple):
    """A link that was made just now."""

    name: str
    login: str
    address: str
    qr: str
    invite: bool


def add_people(rooms: Rooms) -> None:
    """`/people` for all schools, `/schools/…/people` for one."""
    everywhere = _People(rooms, of_all=True)
    rooms.page("GET", "/people", everywhere.show, deed=Deed.MANAGE_PEOPLE, thing=_somewhere)
    here = _People(rooms, of_all=False)
    rooms.page("GET", "/schools/{school}/people", here.show, deed=Deed.MANAGE_PEOPLE, thing=some_class)
    for place, people, thing in (("/people", everywhere, _all), ("/schools/{school}/people", here, some_class)):
        for what, handler in (
            ("invite", people.invite),
            ("grant", people.grant),
            ("end", people.end),
            ("link", people.link),
            ("close", people.close),
        ):
            rooms.page("POST", f"{place}/{what}", handler, deed=Deed.MANAGE_PEOPLE, thing=thing)


def people_address(school: str) -> str:
    """The address of a school's people."""
    return f"/schools/{quote(school, '')}/people"


def leads_here_only(request: web.Request) -> bool:
    """Whether the name under which this page was asked for leads others elsewhere: to their own machine."""
    return is_our_name(request.host, (), any_address=False)


def _somewhere(_request: web.Request) -> Thing:
    return Thing(SOME, SOME, subject=SOME)


def _all(_request: web.Request) -> Thing:
    return Thing()


class _People:
    """The page of one school, or (`of_all`) of what holds for all schools."""

    def __init__(self, rooms: Rooms, *, of_all: bool) -> None:
        self._rooms, self._of_all = rooms, of_all
        self._access: Access = rooms.access

    async def show(self, request: web.Request) -> web.Response:
        if not self._of_all:
            return await self._page(request)
        async with self._rooms.store.reading() as connection:
            schools = self._schools(request, await school_titles(connection))
        if not self._rooms.may(request, Deed.MANAGE_PEOPLE, Thing()) and len(schools) == 1:
            return see_other(schools[0][1])
        return await self._page(request)

    async def invite(self, request: web.Request) -> web.Response:
        """A new account with one role, and the link for its owner."""
        form = await small_form(request)
        giver, now_ms, vault = self._rooms.person(request), self._access.now_ms(), self._rooms.store.vault
        try:
            wanted = self._wanted(request, form)
            async with self._rooms.store.writing() as connection:
                login = form.get("login", "").strip() or made_up_login()
                number = await add_person(connection, vault, login=login, name=form.get("name", ""), now_ms=now_ms)
                await give(connection, number, wanted, by=giver.id)
                secret = await make_link(connection, Kind.INVITE, number, by=giver.id, now_ms=now_ms)
                who = await account(connection, vault, number)
        except UsageError as error:
            return await self._page(request, error=error, typed=form)
        assert who is not None
        self._note(request, number, f"invite {wanted.role} {wanted.class_name or ''} {wanted.subject or ''}".strip())
        return await self._page(request, handed=_handed(request, who, Kind.INVITE, secret))

    async def grant(self, request: web.Request) -> web.Response:
        """One more role for somebody who has an account."""
        form = await small_form(request)
        try:
            wanted = self._wanted(request, form)
            async with self._rooms.store.writing() as connection:
                who = await self._known(connection, form.get("login", ""))
                await give(connection, who.id, wanted, by=self._rooms.person(request).id)
        except UsageError as error:
            return await self._page(request, error=error, typed=form)
        self._changed(request, who.id, f"grant {wanted.role} {wanted.class_name or ''} {wanted.subject or ''}".strip())
        return see_other(request.path.rpartition("/")[0])

    async def end(self, request: web.Request) -> web.Response:
        """A role holds no longer."""
        form = await small_form(request)
        giver, now_ms = self._rooms.person(request), self._access.now_ms()
        async with self._rooms.store.writing() as connection:
            one = await given(connection, self._school(request), _number(form.get("grant", "")))
            if one is None or (one.grant.until_ms or now_ms + 1) <= now_ms:
                raise web.HTTPNotFound  # or over already
            if not may_grant(giver, one.grant, now_ms) and not self._ends_own_loan(request, one):
                raise web.HTTPForbidden
            await end(connection, one, now_ms=now_ms)
        self._changed(request, one.person, f"end {one.grant.role}")
        return see_other(request.path.rpartition("/")[0])

    async def link(self, request: web.Request) -> web.Response:
        """A link to somebody's password, in the place of one that was lost or forgotten."""
        who = await self._chosen(request, await small_form(request))
        kind = Kind.INVITE if who.password is None else Kind.RESET
        now_ms = self._access.now_ms()
        async with self._rooms.store.writing() as connection:
            secret = await make_link(connection, kind, who.id, by=self._rooms.person(request).id, now_ms=now_ms)
        self._note(request, who.id, kind.value)
        return await self._page(request, handed=_handed(request, who, kind, secret))

    async def close(self, request: web.Request) -> web.Response:
        """Let somebody in no longer, or (`undo`) again."""
        form = await small_form(request)
        who = await self._chosen(request, form)
        undo = "undo" in form
        async with self._rooms.store.writing() as connection:
            await disable(connection, who.id, now_ms=None if undo else self._access.now_ms())
        self._changed(request, who.id, "let in again" if undo else "close")
        return see_other(request.path.rpartition("/")[0])

    # --- inside -----------------------------------------------------------------------------------------------

    def _school(self, request: web.Request) -> str | None:
        return None if self._of_all else request.match_info["school"]

    def _wanted(self, request: web.Request, form: dict[str, str]) -> Grant:
        """The grant that a form asks for. Raises `UsageError`, `HTTPForbidden` where this person may not give it."""
        now_ms, role = self._access.now_ms(), form.get("role", "")
        lent = role == SUBSTITUTE
        try:
            chosen = Role.TEACHER if lent else Role(role)
        except ValueError as error:
            raise web.HTTPBadRequest from error
        of_class = chosen is Role.TEACHER
        subject = subject_of(form.get("subject", "")) if of_class else ""
        wanted = Grant(
            role=chosen,
            school=self._school(request),
            class_name=form.get("class_name", "") or None if of_class else None,
            subject=subject[:40] or None,
            pupil=None,
            from_ms=now_ms,
            until_ms=midnight_ms(now_ms) if lent else None,
        )
        if of_class and wanted.class_name is None:
            raise UsageError("A teacher needs a class.", remedy="Choose one; further ones can be added afterwards.")
        if not may_grant(self._rooms.person(request), wanted, now_ms):
            raise web.HTTPForbidden
        return wanted

    def _ends_own_loan(self, request: web.Request, one: Given) -> bool:
        return one.by == self._rooms.person(request).id and one.grant.until_ms is not None

    async def _known(self, connection: AsyncConnection, login: str) -> Account:
        who = await account_called(connection, self._rooms.store.vault, login)
        if who is None:
            raise UsageError(
                "Nobody signs in as {login}.",
                remedy="Check the name to sign in with, or invite them as somebody new.",
                login=login,
            )
        return who

    async def _chosen(self, request: web.Request, form: dict[str, str]) -> Account:
        """The account that a form names. Raises `HTTPForbidden` where this person may not take it over."""
        number = _number(form.get("person", ""))
        now_ms, vault = self._access.now_ms(), self._rooms.store.vault
        async with self._rooms.store.reading() as connection:
            who = await account(connection, vault, number)
            held = (await grants_of_all(connection, {number}, now_ms)).get(number, ())
        if who is None:
            raise web.HTTPNotFound
        if not may_reset(self._rooms.person(request), [one.grant for one in held], now_ms):
            raise web.HTTPForbidden
        return who

    def _note(self, request: web.Request, person: int, detail: str) -> None:
        thing = Thing(school=self._school(request), person=person)
        self._access.audit.note(self._rooms.person(request).id, Deed.MANAGE_PEOPLE, thing, detail)
        request[NOTED] = True

    def _changed(self, request: web.Request, person: int, detail: str) -> None:
        self._access.sessions.forget(person)
        self._note(request, person, detail)

    def _schools(self, request: web.Request, titles: dict[str, str]) -> list[tuple[str, str]]:
        """What the schools are called whose people the viewer may let in, and where theirs are."""
        return [
            (title, people_address(school))
            for school, title in titles.items()
            if self._rooms.may(request, Deed.MANAGE_PEOPLE, Thing(school, SOME, subject=SOME))
        ]

    async def _page(
        self,
        request: web.Request,
        *,
        error: ClassboxError | None = None,
        typed: dict[str, str] | None = None,
        handed: _Handed | None = None,
    ) -> web.Response:
        school, viewer, now_ms = self._school(request), self._rooms.person(request), self._access.now_ms()
        words = translator(language_of(request)).gettext
        rows: list[_Row] = []
        classes: list[str] = []
        async with self._rooms.store.reading() as connection:
            titles = await school_titles(connection)
            if school is not None and school not in titles:
                raise web.HTTPNotFound
            if school is not None or self._rooms.may(request, Deed.MANAGE_PEOPLE, Thing()):
                rows = await self._rows(connection, school, viewer, titles, words)
            if school is not None:
                classes = _own_classes(await class_sizes(connection, school), viewer, school, now_ms)
        return render(
            request,
            "people.html",
            status=200 if error is None else 400,
            school=school,
            rows=rows,
            classes=classes,
            title=titles.get(school or "", ""),
            schools=Chosen(
                self._schools(request, titles) if school is None else [],
                request.query.get("find", ""),
            ),
            place="/people" if school is None else people_address(school),
            roles=_roles_to_give(viewer, school, classes, now_ms),
            whole_classes=[name for name in classes if _may_print(viewer, school, name, now_ms)],
            handed=handed,
            only_here=leads_here_only(request),
            typed=typed or {},
            problem=None if error is None else error.said(words),
        )

    async def _rows(
        self,
        connection: AsyncConnection,
        school: str | None,
        viewer: Person,
        titles: dict[str, str],
        words: Translate,
    ) -> list[_Row]:
        now_ms = self._access.now_ms()
        seen = [
            one
            for one in await grants_at(connection, school, now_ms, roles=_STAFF)
            if may(viewer, Deed.MANAGE_PEOPLE, Thing(school, one.grant.class_name, subject=one.grant.subject), now_ms)
        ]
        people = {one.person for one in seen}
        who = await accounts(connection, self._rooms.store.vault, people)
        held = await grants_of_all(connection, people, now_ms)
        rows = []
        for number, found in sorted(who.items(), key=lambda pair: pair[1].login):
            roles = tuple(
                _Role(one.id, grant_words(one.grant, titles, words), may_grant(viewer, one.grant, now_ms))
                for one in seen
                if one.person == number
            )
            may_link = number != viewer.id and may_reset(viewer, [one.grant for one in held.get(number, ())], now_ms)
            rows.append(_Row(found, roles, may_link, number == viewer.id))
        return rows


def _own_classes(sizes: dict[str, int], viewer: Person, school: str, now_ms: int) -> list[str]:
    """The classes for which the viewer may let somebody in."""
    some = (Thing(school, name, subject=SOME) for name in sorted(sizes, key=by_name))
    return [str(thing.class_name) for thing in some if may(viewer, Deed.MANAGE_PEOPLE, thing, now_ms)]


def _roles_to_give(viewer: Person, school: str | None, classes: Collection[str], now_ms: int) -> list[str]:
    """What the forms offer: only what this person may give to somebody."""
    subjects = {None, *(grant.subject for grant in viewer.grants)}
    offered = []
    named = [(role.value, role) for role in _STAFF]
    named.insert(1, (SUBSTITUTE, Role.TEACHER))
    for name, role in named:
        until = midnight_ms(now_ms) if name == SUBSTITUTE else None
        if role is Role.TEACHER:
            grants = [Grant(role, school, one, subject, None, now_ms, until) for one in classes for subject in subjects]
        else:
            grants = [Grant(role, school, None, None, None, now_ms, until)]
        if any(may_grant(viewer, grant, now_ms) for grant in grants):
            offered.append(name)
    return offered


def _may_print(viewer: Person, school: str | None, class_name: str, now_ms: int) -> bool:
    return may_grant(viewer, Grant(Role.PUPIL, school, class_name, None, b"", now_ms, None), now_ms)


def _handed(request: web.Request, who: Account, kind: Kind, secret: str) -> _Handed:
    address = f"{request.scheme}://{request.host}/{kind.value}/{secret}"
    return _Handed(who.name, who.login, address, qr_picture(address), kind is Kind.INVITE)


def _number(text: object) -> int:
    if not isinstance(text, str) or not text.isascii() or not text.isdigit() or len(text) > 15:
        raise web.HTTPBadRequest
    return int(text)
