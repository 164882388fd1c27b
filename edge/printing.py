"""Worksheets made on this machine: what `classbox print` and the page both do, and a process of its own for the page.

Typesetting keeps what it has once set (docs/first-morning.md has the figures), so a box that runs for a term sets in a
process that ends when its sheets are made. `python -m edge.printing` is that process:
a job on its standard input, the sheets or the error on its standard output.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import msgspec

from homework.assignment import Assignment, assignment_to_toml
from homework.errors import ClassboxError
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
_TIMEOUT_S = 120
_PREVIEW_WIDTH_PX = 900
_ONE_AT_A_TIME = threading.Lock()


class PrintJob(msgspec.Struct, frozen=True, kw_only=True):
    """What to set: see `make_sheets`. `pictures` pages are drawn too, as PNG."""

    assignment: Assignment
    pupils: tuple[Pupil, ...] = ()
    class_name: str | None = None
    copies: int = 1
    duplex: bool = False
    language: str = "zh-CN"
    pictures: int = 0


class Printed(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a job."""

    worksheets_pdf: bytes
    answers_pdf: bytes
    layout: SheetLayout
    pictures: tuple[bytes, ...] = ()


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the process says: the sheets, or the error's message and remedy with their values."""

    printed: Printed | None = None
    message: str = ""
    remedy: str = ""
    values: dict[str, str] = {}


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


def print_here(job: PrintJob) -> Printed:
    """Set the job in this process. Raises `ClassboxError`."""
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


def print_apart(job: PrintJob) -> Printed:
    """Set the job in a process of its own, one at a time. Blocks for about a second. Raises `ClassboxError`."""
    with _ONE_AT_A_TIME:
        try:
            done = subprocess.run(
                [sys.executable, "-m", "edge.printing"],
                input=msgspec.msgpack.encode(job),
                capture_output=True,
                check=False,
                timeout=_TIMEOUT_S,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise _failed(type(error).__name__) from error
    try:
        answer = msgspec.msgpack.decode(done.stdout, type=_Answer)
    except msgspec.DecodeError as error:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise _failed(" ".join(last) or f"exit {done.returncode}") from error
    if answer.printed is None:
        raise ClassboxError(answer.message, remedy=answer.remedy, **answer.values)
    return answer.printed


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


def _failed(reason: str) -> ClassboxError:
    return ClassboxError(
        "The worksheet could not be set: {reason}.",
        remedy="Look for unusual characters in the assignment's prompts.",
        reason=reason,
    )


def _serve() -> None:
    """One job, then the end."""
    os.nice(10)  # sheets under the camera come first
    job = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=PrintJob)
    try:
        answer = _Answer(printed=print_here(job))
    except ClassboxError as error:
        message, remedy, values = error.parts()
        answer = _Answer(message=message, remedy=remedy, values={name: str(value) for name, value in values.items()})
    sys.stdout.buffer.write(msgspec.msgpack.encode(answer))


if __name__ == "__main__":
    _serve()
