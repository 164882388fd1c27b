"""Pictures from a phone: a page that takes or chooses them, several at once, and hands them to the grading.

Plain form, no script. Each file goes to the disk as it comes in, never whole into memory, and its pages to the same
worker as a camera's captures; the answer is given when all have been handed over, one line a file. One phone at a
time: the next one waits, and whoever sends too slowly to be a phone is let go of.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath

from aiohttp import BodyPartReader, web

from edge.frames import Capture
from edge.picture_files import PICTURES, captures_in
from homework.errors import BadFileError, ClassboxError, UsageError
from ui import forms
from ui.forms import Patience
from ui.language import translator
from ui.pages import language_of, render

MOST_FILES = 120
"""Of one sending: a class of sixty, both sides."""
MOST_BYTES = 64 * 1024**2
"""Of one file: a PDF of a class at 200 dpi; a phone's picture has a tenth."""
_CHUNK = 256 * 1024
_NAME_LENGTH = 80
_TAKEN = PICTURES | {".pdf"}

Take = Callable[[Capture], bool]
Guard = Callable[[web.Request], None]


@dataclass(frozen=True)
class Sent:
    """What became of one file: how many pages were handed over, or what is wrong with it."""

    name: str
    pages: int = 0
    error: ClassboxError | None = None


def add_upload(app: web.Application, *, take: Take, guard: Guard) -> None:
    """Add `/upload`. `take` hands a capture to the grading (False: it is ending); `guard` refuses strangers' forms."""
    one_at_a_time = asyncio.Lock()

    async def show(request: web.Request) -> web.Response:
        return _page(request, ())

    async def receive(request: web.Request) -> web.Response:
        guard(request)
        if not request.content_type.startswith("multipart/"):
            raise UsageError("No picture came.", remedy="Choose at least one, then send.")
        async with one_at_a_time:
            sent = await _receive(request, take)
        if not sent:
            raise UsageError("No picture came.", remedy="Choose at least one, then send.")
        return _page(request, tuple(sent))

    app.router.add_get("/upload", show)
    app.router.add_post("/upload", receive)


def _page(request: web.Request, sent: tuple[Sent, ...]) -> web.Response:
    words = translator(language_of(request)).gettext
    lines = [(one.name, one.pages, one.error.said(words) if one.error is not None else None) for one in sent]
    return render(
        request,
        "upload.html",
        status=200 if not sent or any(one.pages for one in sent) else 400,
        sent=lines,
        pages=sum(one.pages for one in sent),
        most_files=MOST_FILES,
        most_mb=MOST_BYTES // 1024**2,
        accept="image/*,.pdf",
    )


async def _receive(request: web.Request, take: Take) -> list[Sent]:
    sent: list[Sent] = []
    patience = Patience(forms.LONG_PATIENCE_S)
    try:
        parts = await request.multipart()
        while (part := await patience.wait(parts.next())) is not None:
            # A field that was left empty comes as a file without a name.
            if not isinstance(part, BodyPartReader) or not part.filename:
                continue
            if len(sent) >= MOST_FILES:
                await _drop(part, patience)
                if len(sent) == MOST_FILES:
                    sent.append(Sent("…", error=_too_many()))
                continue
            sent.append(await _take_one(part, _display_name(part.filename), take, patience))
    except (ValueError, AssertionError) as error:  # aiohttp's words for a form that breaks off
        raise UsageError("The pictures did not come whole.", remedy="Send them again.") from error
    return sent


async def _take_one(part: BodyPartReader, name: str, take: Take, patience: Patience) -> Sent:
    suffix = PurePosixPath(name).suffix.lower()
    if suffix not in _TAKEN:
        await _drop(part, patience)
        return Sent(name, error=_not_ours(name))
    with tempfile.TemporaryDirectory(prefix="classbox-upload-") as folder:
        # Under its own name, for that is what errors call it.
        path = Path(folder) / name
        if not await _save(part, path, patience):
            return Sent(name, error=_too_large(name))
        return await asyncio.to_thread(partial(_hand_over, path, name, take))


async def _save(part: BodyPartReader, path: Path, patience: Patience) -> bool:
    """Write the part to `path`. False when it is too large; what follows of it is read and dropped."""
    size = 0
    with path.open("wb") as file:
        async for chunk in _pieces(part, patience):
            size += len(chunk)
            if size > MOST_BYTES:
                break
            await asyncio.to_thread(file.write, chunk)
    await _drop(part, patience)
    return size <= MOST_BYTES


async def _drop(part: BodyPartReader, patience: Patience) -> None:
    """Read what is left: the next file stands behind it."""
    async for _ in _pieces(part, patience):
        pass


async def _pieces(part: BodyPartReader, patience: Patience) -> AsyncIterator[bytes]:
    while chunk := await patience.wait(part.read_chunk(_CHUNK)):
        patience.came(len(chunk))
        yield chunk


def _hand_over(path: Path, name: str, take: Take) -> Sent:
    pages = 0
    try:
        for capture in captures_in(path):
            if not take(replace(capture, source=name)):
                ending = ClassboxError("The box is being switched off.", remedy="Send this one again later.")
                return Sent(name, pages, ending)
            pages += 1
    except BadFileError as error:
        return Sent(name, pages, error)
    return Sent(name, pages)


def _display_name(name: str) -> str:
    """A phone's name for a file, without any folder, not too long to show, and good on any disk."""
    last = name.replace("\\", "/").rpartition("/")[2].strip()
    last = "".join(c if c.isprintable() else "_" for c in last)
    return last if len(last) <= _NAME_LENGTH else "…" + last[-_NAME_LENGTH:]


def _not_ours(name: str) -> ClassboxError:
    return BadFileError(
        "{name} is neither a picture nor a PDF.", remedy="Send JPEG, PNG, TIFF, WebP or PDF files.", name=name
    )


def _too_large(name: str) -> ClassboxError:
    return BadFileError(
        "{name} is larger than {most} MB.",
        remedy="Send fewer pages in one file, or scan at 200 dpi.",
        name=name,
        most=MOST_BYTES // 1024**2,
    )


def _too_many() -> ClassboxError:
    return BadFileError("These are more than {most} files.", remedy="Send the others in a second go.", most=MOST_FILES)
