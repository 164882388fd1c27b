"""Answer cards to photograph: drawn from OMRChecker templates of our own, filled in by simulated hands.

`imported_cards` is a kind of sheet for `perturb`; the tests draw the same cards.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.omrchecker import all_bubbles, parse_template
from edge.registration.unmarked import UnmarkedSheet
from homework.layout import Box, Bubble, Field, SheetLayout
from models.simulation.ink import draw_strokes
from models.simulation.pen import Writer
from models.simulation.strokes import Stroke

Picture = NDArray[np.uint8]
Generator = np.random.Generator

PX_PER_MM = 8.0
"""Of the drawn paper, in the layout's nominal millimetres."""

ERASED, CROSSED = 0.06, 0.03
"""How often something rubbed out, or a fill that was struck through, stands beside an answer."""

EMPTY = 0.08


@dataclass(frozen=True)
class Look:
    """How a card is printed. `margin_mm` of paper lies outside the page of the template (where the markers' centres
    are its corners); `drawn` is how large the bubbles are, of their boxes; `letters`: their labels stand in them.
    """

    name: str
    template: dict[str, Any]
    margin_mm: float = 0.0
    drawn: float = 0.85
    letters: bool = True
    line_mm: float = 0.3
    grey: int = 60
    square: bool = False


def _block(kind: str, labels: Sequence[str], at: tuple[int, int], gap: float, step: float) -> dict[str, Any]:
    return {
        "fieldType": kind,
        "fieldLabels": list(labels),
        "origin": list(at),
        "bubblesGap": gap,
        "labelsGap": step,
    }


def camera_card() -> Look:
    """A landscape card with four round markers: a roll number with a letter, whole numbers, choices in blocks."""
    medium = {
        "bubbleValues": ["E", "H"],
        "direction": "vertical",
        "fieldLabels": ["Medium"],
        "origin": [150, 270],
        "bubblesGap": 48,
        "labelsGap": 0,
    }
    blocks = {
        "Medium": medium,
        "Roll": _block("QTYPE_INT", ["roll1..8"], (210, 270), 47, 57),
        "I5": _block("QTYPE_INT", ["q5_1", "q5_2"], (880, 270), 47, 58),
        "I6": _block("QTYPE_INT", ["q6_1", "q6_2"], (1060, 270), 47, 58),
        "I7": _block("QTYPE_INT", ["q7_1", "q7_2"], (1240, 270), 47, 58),
        "A": _block("QTYPE_MCQ4", ["q1..4"], (130, 850), 58, 52),
        "B": _block("QTYPE_MCQ4", ["q8..11"], (130, 1150), 58, 52),
        "C": _block("QTYPE_MCQ4", ["q12..14"], (880, 850), 58, 52),
        "D": _block("QTYPE_MCQ4", ["q15..18"], (880, 1150), 58, 52),
    }
    joined = {"Roll": ["Medium", "roll1..8"], **{f"q{n}": [f"q{n}_1", f"q{n}_2"] for n in (5, 6, 7)}}
    steps = [
        {"name": "CropPage", "options": {"morphKernel": [10, 10]}},
        {"name": "CropOnMarkers", "options": {"relativePath": "marker.png", "sheetToMarkerWidthRatio": 17}},
    ]
    template = {
        "pageDimensions": [1700, 1450],
        "bubbleDimensions": [40, 40],
        "customLabels": joined,
        "fieldBlocks": blocks,
        "preProcessors": steps,
    }
    return Look("card with markers", template, margin_mm=10.0)


def exam_card() -> Look:
    """A tall card without markers: three columns of twenty choices, a booklet's number above them."""
    blocks = {
        "Booklet": _block("QTYPE_INT", ["b1..5"], (120, 160), 34, 40),
        "Set": {
            "bubbleValues": ["P", "Q", "R"],
            "direction": "horizontal",
            "fieldLabels": ["set"],
            "origin": [520, 190],
            "bubblesGap": 50,
            "labelsGap": 0,
        },
        **{
            f"M{n}": _block("QTYPE_MCQ4", [f"q{20 * n + 1}..{20 * n + 20}"], (120 + 310 * n, 560), 46, 38)
            for n in range(3)
        },
    }
    template = {
        "pageDimensions": [1000, 1414],
        "bubbleDimensions": [24, 24],
        "customLabels": {"Booklet": ["b1..5"]},
        "fieldBlocks": blocks,
        "preProcessors": [{"name": "CropPage", "options": {"morphKernel": [10, 10]}}],
    }
    return Look("card found by its edge", template, drawn=0.95, grey=110)


def small_card() -> Look:
    """Five questions of five bubbles: nothing but its place on the paper says which way it lies."""
    template = {
        "pageDimensions": [300, 400],
        "bubbleDimensions": [25, 25],
        "fieldBlocks": {"B": _block("QTYPE_MCQ5", ["q1..5"], (65, 60), 41, 52)},
        "preProcessors": [{"name": "CropPage", "options": {"morphKernel": [10, 10]}}],
    }
    return Look("small card", template, drawn=0.9)


def layout_of(look: Look) -> SheetLayout:
    """The card's layout, as the importer makes it."""
    layout = parse_template(json.dumps(look.template)).layout
    return msgspec.structs.replace(layout, reference="marker.png") if layout.register == "marker-image" else layout


def marker_picture(side: int = 120) -> Picture:
    """A disc within a ring: the picture of the corner markers."""
    picture = np.full((side, side), 255, np.uint8)
    middle = (side // 2, side // 2)
    cv2.circle(picture, middle, round(side * 0.44), 0, round(side * 0.09), cv2.LINE_AA)
    cv2.circle(picture, middle, round(side * 0.22), 0, -1, cv2.LINE_AA)
    return picture


def sheet_of(look: Look) -> UnmarkedSheet:
    """What the box knows of the card."""
    layout = layout_of(look)
    return UnmarkedSheet(layout, (marker_picture(),) if layout.register == "marker-image" else ())


@dataclass(frozen=True)
class DrawnCard:
    """A card on paper: BGR, filling `paper_mm`; the page of its layout begins at `margin_mm`."""

    look: Look
    layout: SheetLayout
    paper: Picture
    paper_mm: tuple[float, float]


def draw_card(look: Look) -> DrawnCard:
    """The empty card, printed."""
    layout = layout_of(look)
    width_mm, height_mm = (side + 2 * look.margin_mm for side in layout.page_mm)
    size = (round(width_mm * PX_PER_MM), round(height_mm * PX_PER_MM))
    paper = np.full((size[1], size[0], 3), 244, np.uint8)
    for bubble in all_bubbles(layout.pages[0]):
        _print_bubble(paper, bubble, look)
    for field in layout.pages[0].fields:
        _print_text(paper, field.item, _beside(field), look)
    _print_text(paper, "Name ________________________", (layout.page_mm[0] * 0.3, 9.0), look, height_mm=4.0)
    if layout.register == "marker-image":
        marker = cv2.resize(marker_picture(), (round(9 * PX_PER_MM),) * 2, interpolation=cv2.INTER_AREA)
        for x in (0.0, layout.page_mm[0]):
            for y in (0.0, layout.page_mm[1]):
                at = np.round((np.array([x, y]) + look.margin_mm - 4.5) * PX_PER_MM).astype(int)
                paper[at[1] : at[1] + marker.shape[0], at[0] : at[0] + marker.shape[1]] = marker[..., None]
    return DrawnCard(look, layout, paper, (size[0] / PX_PER_MM, size[1] / PX_PER_MM))


def _beside(field: Field) -> tuple[float, float]:
    x, y, _, height = field.hull_mm()
    # A question's number ends two millimetres before its bubbles; a letter of it is 2.2 wide.
    return (x - 2.0 - 2.2 * len(field.item), y + height / 2 + 1.0) if not field.groups else (x, y - 2.5)


def _print_bubble(paper: Picture, bubble: Bubble, look: Look) -> None:
    x, y, w, h = drawn_box(bubble.box_mm, look)
    middle = (round((x + w / 2) * PX_PER_MM * 16), round((y + h / 2) * PX_PER_MM * 16))
    axes = (round(w / 2 * PX_PER_MM * 16), round(h / 2 * PX_PER_MM * 16))
    thick = max(round(look.line_mm * PX_PER_MM), 1)
    tone = (look.grey,) * 3
    if look.square:
        low, high = (middle[0] - axes[0], middle[1] - axes[1]), (middle[0] + axes[0], middle[1] + axes[1])
        cv2.rectangle(paper, low, high, tone, thick, cv2.LINE_AA, 4)
    else:
        cv2.ellipse(paper, middle, axes, 0, 0, 360, tone, thick, cv2.LINE_AA, 4)
    if look.letters:
        scale = 0.55 * h * PX_PER_MM / 22
        (wide, tall), _ = cv2.getTextSize(bubble.label, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
        at = (round((x + w / 2) * PX_PER_MM - wide / 2), round((y + h / 2) * PX_PER_MM + tall / 2))
        faint = (min(look.grey + 70, 190),) * 3
        cv2.putText(paper, bubble.label, at, cv2.FONT_HERSHEY_SIMPLEX, scale, faint, 2, cv2.LINE_AA)


def _print_text(paper: Picture, text: str, at_mm: tuple[float, float], look: Look, *, height_mm: float = 2.6) -> None:
    at = (round((at_mm[0] + look.margin_mm) * PX_PER_MM), round((at_mm[1] + look.margin_mm) * PX_PER_MM))
    scale = height_mm * PX_PER_MM / 22
    cv2.putText(paper, text, at, cv2.FONT_HERSHEY_SIMPLEX, scale, (look.grey,) * 3, 2, cv2.LINE_AA)


def drawn_box(box: Box, look: Look) -> Box:
    """Where a bubble is printed on the paper, in mm from its corner."""
    x, y, w, h = box
    return (
        x + look.margin_mm + w * (1 - look.drawn) / 2,
        y + look.margin_mm + h * (1 - look.drawn) / 2,
        w * look.drawn,
        h * look.drawn,
    )


def fill_card(card: DrawnCard, seed: int) -> tuple[Picture, dict[str, str]]:
    """A copy of the card that somebody filled in, and what it says: by item, the bubbles that are meant, joined."""
    rng = np.random.default_rng([seed, 0xCA7D])
    writer = Writer.random(seed)
    habit = rng.choice(["fill", "tick", "cross", "scribble"], p=[0.64, 0.16, 0.1, 0.1])
    paper = card.paper.copy()
    truth = {}
    for field in card.layout.pages[0].fields:
        strokes: list[Stroke] = []
        empty = rng.random() < EMPTY
        meant = []
        for column in field.columns():
            if empty:
                meant.append("")
                continue
            chosen = int(rng.integers(len(column)))
            meant.append(column[chosen].label)
            strokes += _mark(drawn_box(column[chosen].box_mm, card.look), writer, habit, rng)
            if len(column) > 1 and rng.random() < (ERASED + CROSSED) / len(field.columns()):
                other = column[(chosen + 1 + int(rng.integers(len(column) - 1))) % len(column)]
                box = drawn_box(other.box_mm, card.look)
                if rng.random() < ERASED / (ERASED + CROSSED):
                    strokes += writer.mark_bubble(box, rng, style="faint")
                else:
                    filled = writer.mark_bubble(box, rng)
                    strokes += [*filled, *writer.cross_out(filled, rng)]
        truth[field.item] = "".join(meant)
        draw_strokes(paper, strokes, PX_PER_MM)
    return paper, truth


def _mark(box: Box, writer: Writer, habit: str, rng: Generator) -> list[Stroke]:
    if habit == "fill" and rng.random() < 0.04:  # a quick one: half of it
        x, y, w, h = box
        return writer.mark_bubble((x, y, w * 0.55, h), rng)
    return writer.mark_bubble(box, rng, style=habit)  # type: ignore[arg-type]


@dataclass(frozen=True)
class FilledCards:
    """Filled cards of one look, as `perturb` photographs them: what each says is by item and blank, with its kind."""

    name: str
    papers: list[Picture]
    paper_mm: tuple[float, float]
    truths: list[dict[tuple[str, int], tuple[str, str]]]
    sheet: UnmarkedSheet


def filled_cards(look: Look, pages: int, seed: int) -> FilledCards:
    """A card filled in by so many simulated hands."""
    card = draw_card(look)
    kinds: dict[str, str] = {field.item: field.kind for field in card.layout.pages[0].fields}
    papers, truths = [], []
    for n in range(pages):
        paper, truth = fill_card(card, seed * 1000 + n)
        papers.append(paper)
        truths.append({(item, 1): (kinds[item], text) for item, text in truth.items()})
    return FilledCards(look.name, papers, card.paper_mm, truths, sheet_of(look))
