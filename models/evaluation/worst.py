"""The crops that were read wrongly with the greatest confidence, on one page for a person to look at."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path

import cv2
import numpy as np

from models.evaluation.pages import Read
from models.preprocess import Image

MOST = 100
_COLUMNS, _CELL = 5, (330, 130)
_ASCII = {"√": "tick", "×": "x", "……": "..."}


def worst(reads: Sequence[Read], most: int = MOST) -> list[Read]:
    """The wrong readings, the most confident first."""
    wrong = [one for one in reads if not one.judged.same and one.text is not None]
    return sorted(wrong, key=lambda one: -one.confidence)[:most]


def write_worst(path: Path, reads: Sequence[Read]) -> None:
    """Write the page: `.png` as one picture, anything else as HTML that needs no other file.

    It shows people's handwriting and is to look at, not to publish.
    """
    some = worst(reads)
    if path.suffix == ".png":
        path.write_bytes(_png(_sheet(some)))
        return
    cells = "".join(
        f'<figure><img src="data:image/png;base64,{base64.b64encode(_png(one.crop.crop)).decode()}" alt="">'
        f"<figcaption><b>{escape(one.crop.text)}</b> read <b>{escape(one.text or '')}</b> {one.confidence:.4f}<br>"
        f"{escape(_where(one))}</figcaption></figure>"
        for one in some
    )
    path.write_text(
        '<!doctype html><meta charset="utf-8"><title>Read wrongly</title>'
        "<style>body{display:flex;flex-wrap:wrap;gap:8px;font:13px sans-serif}figure{margin:0}</style>" + cells,
        encoding="utf-8",
    )


def _sheet(some: Sequence[Read]) -> Image:
    wide, high = _CELL
    rows = max(-(-len(some) // _COLUMNS), 1)
    sheet = np.full((rows * high, _COLUMNS * wide), 255, np.uint8)
    for n, one in enumerate(some):
        x, y = n % _COLUMNS * wide, n // _COLUMNS * high
        crop = one.crop.crop
        scale = min(1.0, (wide - 10) / crop.shape[1], (high - 44) / crop.shape[0])
        small = cv2.resize(crop, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        sheet[y : y + small.shape[0], x : x + small.shape[1]] = small
        words = (f"{_plain(one.crop.text)} read {_plain(one.text or '')} {one.confidence:.4f}", _plain(_where(one)))
        for line, text in enumerate(words):
            at = (x + 2, y + high - 28 + 16 * line)
            cv2.putText(sheet, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0,), 1, cv2.LINE_AA)
    return sheet


def _where(one: Read) -> str:
    crop = one.crop
    return f"{crop.kind} {crop.form}, {crop.source}-{crop.writer}, {crop.pen}, page {crop.page}"


def _plain(text: str) -> str:
    for sign, word in _ASCII.items():
        text = text.replace(sign, word)
    return text


def _png(picture: Image) -> bytes:
    _, coded = cv2.imencode(".png", picture)
    return coded.tobytes()
