"""What the small code on every page says: sheet, page and, when printed for one pupil, class and pupil.

The text is `CB1/SHEET/PAGE` or `CB1/SHEET/PAGE/CLASS/PUPIL`. Class and pupil are percent-encoded (RFC 3986,
UTF-8), so that any name fits and upper-case ASCII ids stay within QR's compact alphanumeric mode
(ISO/IEC 18004, table 5).
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

import msgspec

_PATTERN = re.compile(r"CB1/([A-Z0-9]{4,16})/([1-9][0-9]?)(?:/([^/]+)/([^/]+))?")


class PageCode(msgspec.Struct, frozen=True, gc=False):
    """The parsed code. `page` counts from 1; class and pupil are both set or both None."""

    sheet: str
    page: int
    class_name: str | None = None
    pupil: str | None = None


def page_code_text(code: PageCode) -> str:
    """The text to put into the QR symbol."""
    text = f"CB1/{code.sheet}/{code.page}"
    if code.class_name is not None and code.pupil is not None:
        text += f"/{quote(code.class_name, safe='-.')}/{quote(code.pupil, safe='-.')}"
    return text


def parse_page_code(text: str) -> PageCode | None:
    """The code that `text` says, or None when it is not one of ours."""
    match = _PATTERN.fullmatch(text)
    if match is None:
        return None
    sheet, page, class_name, pupil = match.groups()
    return PageCode(
        sheet=sheet,
        page=int(page),
        class_name=unquote(class_name) if class_name else None,
        pupil=unquote(pupil) if pupil else None,
    )
