"""A group of the review as the pages of both programs show it: values for `_group.html` and `review.js`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from homework.field_words import DOUBT_WORDS, STAMP_WORDS
from homework.results import points
from homework.review_groups import Crop, Group
from homework.wording import Translate

CROP_HEIGHT_PX = 88
KEYS = (*"1234567890", ".", "/", "-", "%", "……", "⌫")
"""For a number on a phone, whose own keys have no fraction and no remainder."""


class CropView(NamedTuple):
    """A field with the addresses of its picture and of its sheet, where there are any.

    `size_px` keeps its place while it loads.
    """

    crop: Crop
    picture: str | None
    sheet: str | None
    size_px: tuple[int, int]


def group_values(
    group: Group | None, crops: Sequence[CropView], words: Translate, *, address: str, to: str | None = None
) -> dict[str, Any]:
    """What `_group.html` asks for. `address` is the review's own, to which answers go; `to` is where they lead back.

    The page has an element with id `review` round it, with `data-mark` (what waits, as it was seen) and `data-address`.
    `{address}/events?mark=` tells of another mark; `{address}?group=` shows that group.
    """
    return {
        "group": group,
        "crops": crops,
        "review_address": address,
        "review_to": to,
        "keys": KEYS,
        "doubts": {doubt: words(text) for doubt, text in DOUBT_WORDS.items()},
        "stamps": {stamp: words(text) for stamp, text in STAMP_WORDS.items()},
        "points": points,
    }
