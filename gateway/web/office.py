"""A school's office: class lists, homework, boxes, held records and programs, and the way between these pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

from aiohttp import web

from gateway.access.deeds import SOME, Deed, Thing
from gateway.web.asking import may_here
from homework.wording import Translate
from ui.language import translator
from ui.pages import language_of, render


class Door(NamedTuple):
    """A page that the reader may open."""

    address: str
    words: str
    here: bool
    """The reader is there, or on a page behind it."""


_PAGES = (
    ("rosters", "Class lists", Deed.EDIT_ROSTER),
    ("homework", "Homework", Deed.ASSIGN),
    ("review", "To look at", Deed.CORRECT),
    ("boxes", "Boxes", Deed.MANAGE_BOXES),
    ("held", "Held records", Deed.DECIDE_HELD),
    ("keys", "Programs", Deed.MANAGE_KEYS),
)


def office_address(school: str, page: str) -> str:
    """The address of one of these pages: `rosters`, `homework`, `review`, `boxes`, `held`, `keys`."""
    return f"/schools/{quote(school, '')}/{page}"


def office_doors(request: web.Request, school: str, _: Translate) -> list[Door]:
    """The pages of a school's office that the reader may open."""
    return [
        Door(address, _(words), f"{request.path}/".startswith(f"{address}/"))
        for page, words, deed in _PAGES
        if may_here(request, deed, Thing(school=school, class_name=SOME, subject=SOME))
        for address in (office_address(school, page),)
    ]


def has_office(request: web.Request, school: str) -> bool:
    """Whether the reader may open any of them."""
    thing = Thing(school=school, class_name=SOME, subject=SOME)
    return any(may_here(request, deed, thing) for _, _, deed in _PAGES)


def doors_of_schools(request: web.Request, schools: Mapping[str, str], _: Translate) -> list[Door]:
    """The same of several schools (id to title), whose titles then stand before the words."""
    found = {school: office_doors(request, school, _) for school in schools}
    several = sum(bool(doors) for doors in found.values()) > 1
    return [
        door._replace(words=f"{schools[school]} · {door.words}") if several else door
        for school, doors in found.items()
        for door in doors
    ]


def render_office(request: web.Request, template: str, *, status: int = 200, **values: Any) -> web.Response:
    """A page of a school's office, with the ways to the others that the reader may go."""
    school = request.match_info["school"]
    doors = office_doors(request, school, translator(language_of(request)).gettext)
    return render(request, template, status=status, school=school, office=doors, **values)
