"""What every room of the box's pages stands on: what they look at, the class, the values of a page, the guards."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from aiohttp import web

from edge.access.request_keys import PERSON
from edge.deeds import By
from edge.documents import Documents
from edge.frames import Capture
from edge.ledger import FiledPage, Ledger
from edge.pictures import Pictures
from edge.stack import chosen_class
from edge.web.bus import Bus
from edge.web.live import LiveView, live_view
from edge.web.sheet_pictures import DecodedPicture, LastSheets
from edge.web.words import SEAT_WORDS
from edge.worker import CLASS_SETTING
from homework.errors import ClassboxError
from homework.wording import VERDICT_SIGNS
from sync.clock import SystemClock
from ui.language import translator
from ui.pages import language_of
from ui.strangers import refuse_strangers as refuse_strangers  # noqa: PLC0414 - the rooms take it from here

HERE = Path(str(files("edge.web")))
Take = Callable[[Capture], bool]


@dataclass(frozen=True)
class Site:
    """What the pages look at. `view` makes the live page's content; everything else is read from the ledger."""

    ledger: Ledger
    documents: Documents
    pictures: Pictures
    sheets: LastSheets
    bus: Bus
    class_name: str | None
    belongs_to_school: Callable[[], bool]
    unsaved: Callable[[], FiledPage | None]
    troubles: Callable[[], Sequence[ClassboxError]]
    ending: Callable[[], bool]
    decoded: DecodedPicture
    take: Take = lambda _capture: False
    """Hands a picture from a phone to the grading."""
    sticks: tuple[Path, ...] = ()
    """Where memory sticks are mounted."""
    stick_done: Callable[[], bool] = lambda: False
    """Whether a stick for the school is in, and may be pulled out."""

    def chosen_class(self) -> str | None:
        """The class of this stack."""
        return chosen_class(self.documents.roster(), self.documents.setting(CLASS_SETTING), self.class_name)

    def view(self) -> LiveView:
        """What the live page says now."""
        return live_view(
            self.ledger,
            self.documents,
            class_name=self.chosen_class(),
            belongs_to_school=self.belongs_to_school(),
            unsaved=self.unsaved(),
            troubles=tuple(self.troubles()),
            stick_done=self.stick_done(),
        )


SITE = web.AppKey("site", Site)
CLOCK = SystemClock()


@cache
def static_address(name: str) -> str:
    """The address of one of the box's own static files, with its digest."""
    body = (HERE / "static" / name).read_bytes()
    return f"/static/{name}?{hashlib.sha256(body).hexdigest()[:8]}"


async def page_values(request: web.Request) -> dict[str, Any]:
    """What the live templates show. `public` is the classroom screen: no names, no scores."""
    site = request.app[SITE]
    words = translator(language_of(request)).gettext
    view = await asyncio.to_thread(site.view)
    return {
        "view": view,
        "troubles": [trouble.said(words) for trouble in view.troubles],
        "public": request.query.get("screen") == "class",
        "words": words,
        "seat_words": {state: words(text) for state, text in SEAT_WORDS.items()},
        "marks": VERDICT_SIGNS,
        "own": static_address,
        "one": False,
    }


def acting(request: web.Request) -> By:
    """Who does what this request asks for, and when: the person that signed in, on an open box "teacher"."""
    person = request.get(PERSON)
    return By(person if isinstance(person, str) else "teacher", CLOCK.read())


async def place_of(site: Site, capture: int) -> str:
    """Where a sheet is shown: the newest on the live page, others on their own."""
    newest = await asyncio.to_thread(site.ledger.newest_page)
    return "/" if newest is not None and newest.capture == capture else f"/sheets/{capture}"
