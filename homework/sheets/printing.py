"""Worksheets made on this machine: what `classbox print` and the pages do; the pages do it in `ui.apart`."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import msgspec

from homework.assignment import Assignment, assignment_to_toml
from homework.layout import SheetLayout, layout_to_json
from homework.roster import Pupil, Roster
from homework.sheets import SheetSet, make_sheets
from homework.sheets.words import WORDS

FONT_ROOTS = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), Path.home() / ".local/share/fonts")
_FONT_FILES = (
    "LXGWWenKai*.ttf",
    "NotoSansCJK*.ttc",
    "NotoSansCJK*.otf",
    "SourceHanSans*.otf",
    "wqy-*.ttc",
    "NotoSerifCJK*.ttc",
    "DroidSansFallback*.ttf",
)
_PREVIEW_WIDTH_PX = 900


class PrintJob(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What to set: see `make_sheets`. `pictures` pages are drawn too, as PNG."""

    assignment: Assignment
    pupils: tuple[Pupil, ...] = ()
    class_name: str | None = None
    copies: int = 1
    duplex: bool = False
    language: str = "zh-CN"
    pictures: int = 0


class Printed(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What came of a job."""

    worksheets_pdf: bytes
    answers_pdf: bytes
    layout: SheetLayout
    pictures: tuple[bytes, ...] = ()


def font_folders() -> tuple[Path, ...]:
    """The folders that hold a Chinese typeface: Typst starts faster with these than with all of the system's."""
    found = (path.parent for root in FONT_ROOTS for pattern in _FONT_FILES for path in sorted(root.rglob(pattern)))
    return tuple(dict.fromkeys(found))


def files_of(made: SheetSet) -> dict[str, bytes]:
    """The files of a print run by their names."""
    return {
        "worksheets.pdf": made.worksheets_pdf,
        "layout.json": layout_to_json(made.layout).encode(),
        "assignment.toml": assignment_to_toml(made.assignment).encode(),
        "answers.pdf": made.answers_pdf,
    }


def print_job(job: PrintJob) -> Printed:
    """Set a job. Raises `ClassboxError`."""
    made = make_sheets(
        job.assignment,
        roster=Roster(job.pupils) if job.pupils else None,
        class_name=job.class_name,
        copies=job.copies,
        duplex=job.duplex,
        fonts=font_folders() or None,
        words=WORDS[job.language],
    )
    return Printed(
        worksheets_pdf=made.worksheets_pdf,
        answers_pdf=made.answers_pdf,
        layout=made.layout,
        pictures=_pictures(made.worksheets_pdf, job.pictures),
    )


def same_places(one: SheetLayout, other: SheetLayout) -> bool:
    """Whether two print runs have everything at the same places, whatever they are called."""
    return msgspec.structs.replace(one, sheet="", assignment=None) == msgspec.structs.replace(
        other, sheet="", assignment=None
    )


def _pictures(pdf: bytes, most: int) -> tuple[bytes, ...]:
    if not most:
        return ()
    import pypdfium2  # noqa: PLC0415 - only a preview needs it

    document = pypdfium2.PdfDocument(pdf)
    try:
        return tuple(_picture(document[n]) for n in range(min(most, len(document))))
    finally:
        document.close()


def _picture(page: Any) -> bytes:
    out = io.BytesIO()
    image = page.render(scale=_PREVIEW_WIDTH_PX / page.get_width(), grayscale=True).to_pil()
    image.quantize(16).save(out, "PNG", optimize=True)
    return out.getvalue()
