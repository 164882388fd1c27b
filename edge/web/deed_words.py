"""What people did, in words: for the line that says what was done just now, and for the list of all changes."""

from __future__ import annotations

import time
from collections.abc import Callable

from edge.deeds import About, Deed, DeedKind
from edge.documents import Documents
from edge.ledger_corrections import SCHOOL
from homework.absences import Absence
from homework.results import VerdictKind, points
from homework.wording import VERDICT_SIGNS
from sync.clock import ClockQuality, ClockReading

Words = Callable[[str], str]

_PLAIN = {
    DeedKind.WITHDRAWN: "Took a sheet back",
    DeedKind.RESTORED: "Let a sheet count again",
    DeedKind.OWNER: "Said whose sheet it is: %(pupil)s",
    DeedKind.AGAIN: "Said that it is a corrected sheet: %(pupil)s",
    DeedKind.CORRECTED: "Corrected %(fields)s answers",
    DeedKind.ABSENCE: "%(pupil)s: %(absence)s",
    DeedKind.UNDONE: "Undone: %(what)s",
}
_ABSENCES = {Absence.EXCUSED: "on leave", Absence.EXEMPT: "exempt", None: "to hand in"}


def deed_line(deed: Deed, words: Words, documents: Documents, deed_of: Callable[[int], Deed | None]) -> str:
    """What was done, in one line. Pupils are named from the class list, by their id where it forgot them."""
    if deed.kind is DeedKind.UNDONE:
        undone = deed_of(deed.undoes) if deed.undoes is not None else None
        what = deed_line(undone, words, documents, deed_of) if undone is not None else ""
        return words(_PLAIN[deed.kind]) % {"what": what}
    if deed.kind is DeedKind.CORRECTED:
        what = _corrected(deed.about, words, documents)
        return what if deed.about.get("counts", 1) else words("%(what)s (does not count)") % {"what": what}
    after = deed.about.get("after")
    absence = words(_ABSENCES[Absence(str(after)) if after is not None else None])
    line = words(_PLAIN[deed.kind]) % {"pupil": _pupil(deed.about, documents), "absence": absence}
    return line if deed.about.get("counts", 1) else words("%(what)s (does not count)") % {"what": line}


def person_line(deed: Deed, words: Words) -> str:
    """Who did it: a person of this box, the school, or somebody at another box of it."""
    origin = deed.about.get("origin")
    if origin is not None and deed.kind in (DeedKind.CORRECTED, DeedKind.ABSENCE):
        where = words("the school") if origin == SCHOOL else words("box %(box)s") % {"box": origin}
        return where if deed.person == SCHOOL else f"{deed.person} ({where})"
    return words("teacher") if deed.person == "teacher" else deed.person


def time_line(clock: ClockReading, words: Words) -> str:
    """When it was, as far as the box's clock could be believed then."""
    if clock.quality is ClockQuality.UNSET:
        return words("time not known")
    text = time.strftime("%Y-%m-%d %H:%M", time.localtime(clock.wall_ms / 1000))
    return text if clock.quality is ClockQuality.SYNCED else words("about %(time)s") % {"time": text}


def _corrected(about: About, words: Words, documents: Documents) -> str:
    count, item = about.get("fields") or 0, about.get("item")
    where = words("Item %(item)s") % {"item": _label(about, documents)} if item is not None else ""
    text, after, before = about.get("text"), about.get("after"), about.get("before")
    if about.get("remark"):
        what = words("a comment or stamp")
    elif text == "":
        what = words("%(count)s left empty") % {"count": count}
    elif text is not None:
        what = words("%(count)s read as %(text)s") % {"count": count, "text": text}
    elif after is not None and about.get("points_hundredths") is not None:
        sign = VERDICT_SIGNS[VerdictKind(str(after))]
        what = words("%(count)s × %(sign)s, %(points)s points") % {
            "count": count, "sign": sign, "points": points(int(about["points_hundredths"] or 0))
        }  # fmt: skip
    elif after is not None:
        signs = [VERDICT_SIGNS[VerdictKind(str(kind))] for kind in (before, after) if kind is not None]
        what = " → ".join(signs) if count == 1 else f"{count} × {signs[-1]}"
    else:
        what = words(_PLAIN[DeedKind.CORRECTED]) % {"fields": count}
    return ": ".join(filter(None, (where, what)))


def _label(about: About, documents: Documents) -> str:
    name = about.get("assignment")
    key = documents.assignment(str(name)) if name is not None else None
    item = key.item(str(about["item"])) if key is not None else None
    return (item.label or item.id) if item is not None else str(about["item"])


def _pupil(about: About, documents: Documents) -> str:
    name = str(about.get("pupil") or "")
    pupil = documents.roster().by_id(name)
    return f"{pupil.seat} {pupil.name}" if pupil is not None else name
