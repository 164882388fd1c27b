"""The box's pages: the live page and its events, one sheet, what waits for a look, pictures."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from aiohttp import ClientConnectionResetError, web
from aiohttp_sse import sse_response
from numpy.typing import NDArray

from edge.documents import Documents
from edge.frames import Image
from edge.ledger import FiledPage, Ledger
from edge.pictures import Pictures
from edge.registration.unmarked_sheet import UnmarkedSheet
from edge.stack import chosen_class
from edge.web import drawing, learned
from edge.web.bus import Bus
from edge.web.calling import add_calling, in_seat_order
from edge.web.key import keep_key, key_fields, may_be_key
from edge.web.live import LiveView, live_view, sheet_view, with_question
from edge.web.review import review_list
from edge.web.upload import Take, add_upload
from edge.web.whose import CROP_MARGIN_MM, Written, written_box
from edge.web.words import DOUBT_WORDS, SEAT_WORDS
from edge.worker import CLASS_SETTING
from homework.errors import BadFileError, ClassboxError, UsageError
from homework.layout import SheetLayout
from homework.results import WhoWroteIt
from ui.language import translator
from ui.pages import SECURITY_HEADERS, language_of, page_application, render

_HERE = Path(str(files("edge.web")))
_IMMUTABLE = {"Cache-Control": "private, max-age=31536000, immutable"}
_KEPT_SHEETS = 8
_PARTS = ("title", "badge", "sheet", "side")
"""The live page's pieces that change, each a template of its own: sent whole, so that nothing can be missed."""


class LastSheets:
    """The flattened pictures of the sheets that came last, so that showing one decodes nothing."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pictures: OrderedDict[str, bytes] = OrderedDict()

    def put(self, key: str, picture: bytes) -> None:
        """Remember a picture; the oldest goes."""
        with self._lock:
            self._pictures[key] = picture
            self._pictures.move_to_end(key)
            while len(self._pictures) > _KEPT_SHEETS:
                self._pictures.popitem(last=False)

    def get(self, key: str) -> bytes | None:
        """The picture of that key, when it is still here."""
        with self._lock:
            return self._pictures.get(key)


class DecodedPicture:
    """The picture that was decoded last: a list of crops asks for the same one again and again."""

    def __init__(self, pictures: Pictures) -> None:
        self._pictures = pictures
        self._lock = threading.Lock()
        self._held: tuple[str, Image] | None = None

    def image(self, digest: str) -> Image | None:
        """The capture of that digest as BGR, or None when its picture is gone."""
        with self._lock:
            if self._held is None or self._held[0] != digest:
                self._held = None
                image = self._pictures.image(digest)
                if image is None:
                    return None
                self._held = (digest, image)
            return self._held[1]


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
    take: Take = lambda _capture: False
    """Hands a picture from a phone to the grading."""

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
        )


_SITE = web.AppKey("site", Site)
_CROPS = web.AppKey("crops", DecodedPicture)


def make_site(site: Site) -> web.Application:
    """The web application of the box's pages."""
    app = page_application(_HERE / "templates")
    app[_SITE] = site
    app[_CROPS] = DecodedPicture(site.pictures)
    app.router.add_get("/", _live)
    app.router.add_get("/events", _events)
    app.router.add_get("/review", _review)
    app.router.add_post("/class", _choose_class)
    app.router.add_get(r"/sheets/{capture:\d{1,12}}", _one_sheet)
    app.router.add_post(r"/sheets/{capture:\d{1,12}}/{what:withdraw|restore}", _withdraw)
    app.router.add_post(r"/sheets/{capture:\d{1,12}}/owner", _say_whose)
    app.router.add_get(r"/sheets/{key:\d{1,12}|unsaved}/picture.jpg", _sheet_picture)
    app.router.add_get(r"/sheets/{capture:\d{1,12}}/fields/{place:\d{1,3}}.jpg", _field_picture)
    app.router.add_get(r"/sheets/{capture:\d{1,12}}/written/{what:name|seat}.jpg", _written_picture)
    app.router.add_get(r"/sheets/{capture:\d{1,12}}/key", _key)
    app.router.add_post(r"/sheets/{capture:\d{1,12}}/key", _keep_key)
    app.router.add_get("/learned", _learned)
    app.router.add_get(r"/learned/{sheet:[A-Za-z0-9_-]{1,32}}/{page:\d{1,3}}", _learned_page)
    app.router.add_post(r"/learned/{sheet:[A-Za-z0-9_-]{1,32}}/{page:\d{1,3}}", _keep_places)
    app.router.add_get(r"/learned/{sheet:[A-Za-z0-9_-]{1,32}}/{page:\d{1,3}}/picture.jpg", _learned_picture)
    app.router.add_get("/static/{name}", _static)
    add_upload(app, take=site.take, guard=_refuse_strangers)
    add_calling(
        app,
        ledger=site.ledger,
        documents=site.documents,
        chosen_class=site.chosen_class,
        publish=site.bus.publish,
        guard=_refuse_strangers,
    )
    return app


@cache
def static_address(name: str) -> str:
    """The address of one of the box's own static files, with its digest."""
    body = (_HERE / "static" / name).read_bytes()
    return f"/static/{name}?{hashlib.sha256(body).hexdigest()[:8]}"


async def _live(request: web.Request) -> web.Response:
    return render(request, "live.html", **await _values(request), event_id=request.app[_SITE].bus.event_id())


async def _values(request: web.Request) -> dict[str, Any]:
    """What the live templates show. `public` is the classroom screen: no names, no scores."""
    site = request.app[_SITE]
    words = translator(language_of(request)).gettext
    view = await asyncio.to_thread(site.view)
    return {
        "view": view,
        "troubles": [trouble.said(words) for trouble in view.troubles],
        "public": request.query.get("screen") == "class",
        "words": words,
        "seat_words": {state: words(text) for state, text in SEAT_WORDS.items()},
        "own": static_address,
        "one": False,
    }


async def _events(request: web.Request) -> web.StreamResponse:
    """The newest state whenever it changes. A page that slept gets the state that it missed, without sounds."""
    bus = request.app[_SITE].bus
    known = bus.number_of(request.headers.get("Last-Event-ID") or request.query.get("after", ""))
    heard = bus.number if known is None else known
    number = -1 if known is None else known
    async with sse_response(request, headers=SECURITY_HEADERS) as response:
        while response.is_connected() and not request.app[_SITE].ending():
            await bus.after(number)
            number = bus.number
            event_id = bus.event_id()
            values = await _values(request)
            tone = bus.last.tone if bus.last is not None and bus.last.number > heard else None
            heard = number
            parts = {name: render(request, f"_{name}.html", **values).text for name in _PARTS}
            message = msgspec.json.encode({"parts": parts, "tone": tone}).decode()
            try:
                await response.send(message, id=event_id, event="state")
            except ClientConnectionResetError:
                break  # the page was closed
    return response


async def _one_sheet(request: web.Request) -> web.Response:
    site = request.app[_SITE]
    filed = await asyncio.to_thread(site.ledger.page, int(request.match_info["capture"]))
    if filed is None:
        raise web.HTTPNotFound
    values = await _values(request)
    sheet = await asyncio.to_thread(sheet_view, filed, site.documents, class_name=site.chosen_class())
    before = await asyncio.to_thread(site.ledger.newest_page, filed.capture)
    sheet = replace(sheet, previous=before.capture if before is not None else None)
    view: LiveView = values["view"]
    ask = partial(with_question, pupils=view.pupils, missing=view.stack.missing, now=view.calling)
    sheet = await asyncio.to_thread(ask, sheet, filed, site.ledger, site.documents)
    return render(request, "sheet.html", **{**values, "one": True}, sheet=sheet)


async def _review(request: web.Request) -> web.Response:
    site = request.app[_SITE]
    pages = await asyncio.to_thread(review_list, site.ledger, site.documents, class_name=site.chosen_class())
    values = await _values(request)
    doubts = {doubt: values["words"](text) for doubt, text in DOUBT_WORDS.items()}
    return render(request, "review.html", **values, pages=pages, doubts=doubts)


async def _key(request: web.Request) -> web.Response:
    """The answers of a sheet, to be confirmed: then it is the key."""
    site = request.app[_SITE]
    filed = await asyncio.to_thread(site.ledger.page, int(request.match_info["capture"]))
    layout = may_be_key(filed, site.documents) if filed is not None else None
    if filed is None or layout is None:
        raise web.HTTPNotFound
    return await _key_page(request, filed, layout)


async def _key_page(
    request: web.Request,
    filed: FiledPage,
    layout: SheetLayout,
    given: Mapping[str, str] | None = None,
    refused: ClassboxError | None = None,
) -> web.Response:
    values = await _values(request)
    said = refused.said(values["words"]) if refused is not None else None
    fields = key_fields(filed, layout, given)
    title = given.get("title", "") if given is not None else ""
    status = 200 if refused is None else 400
    return render(
        request, "key.html", status=status, **values, capture=filed.capture, fields=fields, title=title, refused=said
    )


async def _keep_key(request: web.Request) -> web.StreamResponse:
    _refuse_strangers(request)
    site = request.app[_SITE]
    filed = await asyncio.to_thread(site.ledger.page, int(request.match_info["capture"]))
    layout = may_be_key(filed, site.documents) if filed is not None else None
    if filed is None or layout is None:
        raise web.HTTPNotFound
    given = {name: str(value) for name, value in (await request.post()).items()}
    try:
        await asyncio.to_thread(keep_key, filed, layout, given, site.documents, site.ledger)
    except (UsageError, BadFileError) as refused:
        return await _key_page(request, filed, layout, given, refused)
    site.bus.publish()
    raise web.HTTPSeeOther("/")


async def _learned(request: web.Request) -> web.Response:
    """The sheets that were learned."""
    sheets = await asyncio.to_thread(learned.learned_sheets, request.app[_SITE].documents)
    return render(request, "learned.html", **await _values(request), sheets=sheets, layout=None)


async def _sheet_to_correct(request: web.Request) -> tuple[UnmarkedSheet, int]:
    name, page = request.match_info["sheet"], int(request.match_info["page"])
    sheet = await asyncio.to_thread(learned.sheet_to_correct, request.app[_SITE].documents, name)
    if sheet is None or sheet.layout.page(page) is None:
        raise web.HTTPNotFound
    return sheet, page


async def _learned_page(request: web.Request, refused: ClassboxError | None = None) -> web.Response:
    """The places to answer of one learned page."""
    sheet, page = await _sheet_to_correct(request)
    values = await _values(request)
    return render(
        request,
        "learned.html",
        **values,
        status=200 if refused is None else 400,
        layout=sheet.layout,
        page=page,
        places=learned.places_of(sheet.layout, page),
        fixed=learned.has_key(sheet.layout, request.app[_SITE].documents),
        kind_words={kind: values["words"](text) for kind, text in learned.KIND_WORDS.items()},
        written=learned.WRITTEN_KINDS,
        refused=refused.said(values["words"]) if refused is not None else None,
    )


async def _keep_places(request: web.Request) -> web.StreamResponse:
    _refuse_strangers(request)
    documents = request.app[_SITE].documents
    sheet, page = await _sheet_to_correct(request)
    given = {name: str(value) for name, value in (await request.post()).items()}
    if learned.has_key(sheet.layout, documents):
        raise web.HTTPNotFound
    try:
        layout = await asyncio.to_thread(learned.corrected, sheet, page, given)
    except UsageError as refused:
        return await _learned_page(request, refused)
    await asyncio.to_thread(documents.put_layout, layout)
    raise web.HTTPSeeOther(request.path)


async def _learned_picture(request: web.Request) -> web.Response:
    sheet, page = await _sheet_to_correct(request)
    body = await asyncio.to_thread(learned.picture, sheet, page)
    if body is None:
        raise web.HTTPNotFound
    return web.Response(body=body, content_type="image/jpeg", headers={"Cache-Control": "private, max-age=60"})


async def _choose_class(request: web.Request) -> web.StreamResponse:
    _refuse_strangers(request)
    site = request.app[_SITE]
    wanted = str((await request.post()).get("class", ""))
    if wanted not in site.documents.roster().classes():
        raise UsageError("This class is not loaded.", remedy="Choose one of the list.")
    await asyncio.to_thread(site.documents.put_setting, CLASS_SETTING, wanted)
    site.bus.publish()
    raise web.HTTPSeeOther("/")


async def _withdraw(request: web.Request) -> web.StreamResponse:
    _refuse_strangers(request)
    site = request.app[_SITE]
    capture = int(request.match_info["capture"])
    step = site.ledger.withdraw if request.match_info["what"] == "withdraw" else site.ledger.restore
    if await asyncio.to_thread(step, capture) is None:
        raise web.HTTPNotFound
    site.bus.publish()
    raise web.HTTPSeeOther(await _place_of(site, capture))


async def _say_whose(request: web.Request) -> web.StreamResponse:
    """The teacher's answer to “whose sheet is this?”: a pupil of the class list."""
    _refuse_strangers(request)
    site = request.app[_SITE]
    capture = int(request.match_info["capture"])
    pupil = site.documents.roster().by_id(str((await request.post()).get("pupil", "")))
    if pupil is None:
        raise UsageError("Nobody of that name is on the class list.", remedy="Choose one of the list.")
    who = WhoWroteIt(pupil.class_name, pupil.seat, pupil.pupil_id, 1.0)
    filed = await asyncio.to_thread(site.ledger.page, capture)
    layout = site.documents.layout(filed.record.sheet) if filed is not None and filed.record is not None else None
    in_order = layout is not None and in_seat_order(layout)
    say = partial(site.ledger.say_whose, capture, who, pupil=pupil.pupil_id, in_order=in_order)
    if await asyncio.to_thread(say) is None:
        raise web.HTTPNotFound
    site.bus.publish()
    raise web.HTTPSeeOther(await _place_of(site, capture))


async def _place_of(site: Site, capture: int) -> str:
    """Where a sheet is shown: the newest on the live page, others on their own."""
    newest = await asyncio.to_thread(site.ledger.newest_page)
    return "/" if newest is not None and newest.capture == capture else f"/sheets/{capture}"


async def _sheet_picture(request: web.Request) -> web.Response:
    key = request.match_info["key"]
    picture = request.app[_SITE].sheets.get(key)
    if picture is None and key.isdecimal():
        picture = await asyncio.to_thread(_draw_sheet, request.app[_SITE], int(key))
    if picture is None:
        raise web.HTTPNotFound
    return web.Response(body=picture, content_type="image/jpeg", headers=_IMMUTABLE if request.query_string else {})


def _draw_sheet(site: Site, capture: int) -> bytes | None:
    filed = site.ledger.page(capture)
    image = site.pictures.image(filed.digest) if filed is not None and filed.has_picture else None
    if filed is None or image is None:
        return None
    layout = site.documents.layout(filed.record.sheet) if filed.record is not None else None
    return draw_sheet(image, layout, filed.mm_to_px)


def draw_sheet(image: Image, layout: SheetLayout | None, mm_to_px: NDArray[np.float64] | None) -> bytes:
    """The picture of a sheet for the pages: flat where it is known how it lies, else as it came."""
    if layout is not None and mm_to_px is not None:
        return drawing.flattened(image, mm_to_px, layout.page_mm)
    return drawing.thumbnail(image)


async def _field_picture(request: web.Request) -> web.Response:
    capture, place = int(request.match_info["capture"]), int(request.match_info["place"])
    picture = await asyncio.to_thread(_draw_field, request.app[_SITE], request.app[_CROPS], capture, place)
    if picture is None:
        raise web.HTTPNotFound
    return web.Response(body=picture, content_type="image/jpeg", headers=_IMMUTABLE)


def _draw_field(site: Site, decoded: DecodedPicture, capture: int, place: int) -> bytes | None:
    filed = site.ledger.page(capture)
    if filed is None or filed.record is None or filed.mm_to_px is None or place >= len(filed.record.items):
        return None
    layout = site.documents.layout(filed.record.sheet)
    page = layout.page(filed.record.page) if layout is not None else None
    item = filed.record.items[place]
    field = next((f for f in page.fields if (f.item, f.blank) == (item.item, item.blank)), None) if page else None
    image = decoded.image(filed.digest) if field is not None else None
    if field is None or image is None:
        return None
    return drawing.field_crop(image, filed.mm_to_px, field.hull_mm())


async def _written_picture(request: web.Request) -> web.Response:
    what: Written = "name" if request.match_info["what"] == "name" else "seat"
    capture = int(request.match_info["capture"])
    picture = await asyncio.to_thread(_draw_written, request.app[_SITE], request.app[_CROPS], capture, what)
    if picture is None:
        raise web.HTTPNotFound
    return web.Response(body=picture, content_type="image/jpeg", headers=_IMMUTABLE if request.query_string else {})


def _draw_written(site: Site, decoded: DecodedPicture, capture: int, what: Written) -> bytes | None:
    """The name or the seat number as it stands on the paper, cut from the kept picture."""
    filed = site.ledger.page(capture)
    box = written_box(filed, site.documents, what) if filed is not None else None
    image = decoded.image(filed.digest) if filed is not None and box is not None else None
    if filed is None or box is None or image is None or filed.mm_to_px is None:
        return None
    return drawing.field_crop(image, filed.mm_to_px, box, margin_mm=CROP_MARGIN_MM)


async def _static(request: web.Request) -> web.StreamResponse:
    name = request.match_info["name"]
    path = _HERE / "static" / name
    if name.startswith(".") or not path.is_file():
        raise web.HTTPNotFound
    response = web.FileResponse(path)
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if request.query_string else "no-cache"
    return response


def _refuse_strangers(request: web.Request) -> None:
    """Only our own pages may change something: the browser says where a form came from.

    Fetch Metadata decides where the browser sends it; `Origin` else (with our referrer policy it is `null` on our
    own forms, so it cannot decide alone).
    """
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    ours = (
        site in ("same-origin", "none") if site is not None else origin in (None, f"{request.scheme}://{request.host}")
    )
    if not ours:
        raise web.HTTPForbidden
