"""What a teacher says of a seat or of the whole stack on the live page: 请假, 免做, and the release of a test."""

from __future__ import annotations

import asyncio
import logging
from functools import partial

from aiohttp import web

from edge.release import hold_back, is_test, release
from edge.web.desk import SITE, acting, refuse_strangers
from homework.absences import Absence
from homework.errors import UsageError
from ui.forms import sent_form

log = logging.getLogger(__name__)


def add_absences(app: web.Application) -> None:
    """Add what is said of seats, and the release of a test."""
    app.router.add_post("/absence", _set_absence)
    app.router.add_post("/release", _release)


async def _set_absence(request: web.Request) -> web.StreamResponse:
    """`seat` is `PUPIL:excused`, `PUPIL:exempt` or `PUPIL:`: what it shall be, so that a second tap does no more."""
    refuse_strangers(request)
    site, form = request.config_dict[SITE], await sent_form(request)
    pupil, _, word = str(form.get("seat", "")).rpartition(":")
    assignment = str(form.get("assignment", ""))
    known = site.documents.roster().by_id(pupil)
    if known is None or not assignment or word not in ("", *Absence):
        raise UsageError("Nobody of that name is on the class list.", remedy="Go back to the page and tap a seat.")
    absence = Absence(word) if word else None
    say = partial(site.ledger.set_absence, assignment, known.pupil_id, absence, by=acting(request))
    await asyncio.to_thread(say)
    site.bus.publish()
    raise web.HTTPSeeOther("/")


async def _release(request: web.Request) -> web.StreamResponse:
    """`show` is `yes` or `no`; `assignment` is a test that is loaded."""
    refuse_strangers(request)
    site, form = request.config_dict[SITE], await sent_form(request)
    assignment = str(form.get("assignment", ""))
    if not is_test(site.documents, assignment):
        raise UsageError("This is no test that is loaded here.", remedy="Go back to the page and try again.")
    person = acting(request).person
    if form.get("show") == "yes":
        await asyncio.to_thread(release, site.documents, assignment, person=person)
        log.info("%s released the results of %s", person, assignment)
    else:
        await asyncio.to_thread(hold_back, site.documents, assignment)
        log.info("%s holds the results of %s back", person, assignment)
    site.bus.publish()
    raise web.HTTPSeeOther("/")
