"""`RegisteredPage → FieldCrop`: cut one field straight from the full-resolution capture, upright and without red.

The page as a whole is never flattened. A field and its surroundings are surveyed at 4 px/mm; only what was
written is cut again at the 8 px/mm that the recognisers want.
"""

from __future__ import annotations

import cv2
import numpy as np

from edge.frames import BoxPx, FieldCrop, Image, Quad, RegisteredPage
from edge.registration.geometry import as_point, corners_of, to_px
from homework.layout import Box, Field

SURVEY_PX_PER_MM = 4.0
WRITING_PX_PER_MM = 8.0
LEAST_AROUND_MM = 1.6
MOST_AROUND_MM = 12.0
"""How far round a field the pupil's ink is looked for, at least and at most."""

EDGE_MM = 0.3
"""What is printed just beyond the empty surroundings may lie so much closer than the layout says."""


def crop_field(page: RegisteredPage, field: Field, shift_mm: tuple[float, float] = (0.0, 0.0)) -> FieldCrop:
    """The field and the empty paper around it; `shift_mm` is how far it is printed from where the page puts it."""
    hull = field.hull_mm()
    region = _region(hull, field.around_mm)
    image = cut(page, region, SURVEY_PX_PER_MM, shift_mm)
    grey, red_ink = (image, False) if image.ndim == 2 else without_red(image)
    box_px = box_in_crop(hull, region, SURVEY_PX_PER_MM)
    return FieldCrop(field, grey, SURVEY_PX_PER_MM, region, box_px, red_ink, shift_mm)


def cut_writing(page: RegisteredPage, region_mm: Box, shift_mm: tuple[float, float], *, red_ink: bool) -> Image:
    """A region as a recogniser looks at it, grey. `red_ink`: whether there is any to be taken away."""
    image = cut(page, region_mm, WRITING_PX_PER_MM, shift_mm, all_channels=red_ink)
    return image if image.ndim == 2 else without_red(image)[0]


def cut(
    page: RegisteredPage,
    region_mm: Box,
    px_per_mm: float,
    shift_mm: tuple[float, float] = (0.0, 0.0),
    *,
    all_channels: bool = True,
) -> Image:
    """A region of the page, upright: as the capture has it, or of a colour one the red channel alone."""
    assert page.mm_to_px is not None
    x, y, width, height = region_mm
    x, y = x + shift_mm[0], y + shift_mm[1]
    size = (max(round(width * px_per_mm), 1), max(round(height * px_per_mm), 1))
    crop_to_mm = np.array([[1 / px_per_mm, 0, x + 0.5 / px_per_mm], [0, 1 / px_per_mm, y + 0.5 / px_per_mm], [0, 0, 1]])
    # Only the part of the capture that shows the region is touched: one channel of that costs a third of three.
    image = page.capture.image
    at = to_px(page.mm_to_px, corners_of((x, y, width, height)))
    x0, y0 = np.clip(np.floor(at.min(axis=0)).astype(int) - 2, 0, [image.shape[1] - 1, image.shape[0] - 1])
    x1, y1 = np.maximum(np.ceil(at.max(axis=0)).astype(int) + 3, [x0 + 1, y0 + 1])
    part = image[y0:y1, x0:x1]
    if part.ndim == 3 and not all_channels:
        part = np.asarray(cv2.extractChannel(part, 2), np.uint8)
    to_part = np.array([[1.0, 0, -x0], [0, 1, -y0], [0, 0, 1]])
    crop = cv2.warpPerspective(
        part,
        to_part @ page.mm_to_px @ crop_to_mm,
        size,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(crop, np.uint8)


def without_red(crop: Image) -> tuple[Image, bool]:
    """The red channel, in which red ink is pale, with the rest of it lifted to the paper; and whether there was any.

    Each channel is taken relative to the paper's own, so that warm light does not pass for red ink.
    """
    green, red = (np.asarray(cv2.extractChannel(crop, channel), np.uint8) for channel in (1, 2))
    green_paper, red_paper = paper_level(green), paper_level(red)
    # Beyond a tenth, redness is ink and not a tint of the light; twice its excess lifts the palest red to paper.
    redness = np.asarray(cv2.addWeighted(red, 2 * 230 / red_paper, green, -2 * 230 / green_paper, -2 * 24), np.uint8)
    if not redness.any():
        return red, False
    lifted = np.asarray(cv2.add(red, redness), np.uint8)
    return np.minimum(lifted, np.maximum(red, np.uint8(red_paper))), True


def paper_level(channel: Image) -> float:
    """The grey of clean paper: four fifths of the way up from the darkest pixel to the brightest, by rank."""
    ranked = np.sort(channel[::3, ::3], axis=None)
    return max(float(ranked[int(0.8 * (len(ranked) - 1))]), 1.0)


def box_in_crop(box_mm: Box, region_mm: Box, px_per_mm: float) -> BoxPx:
    """A box of the page in pixels of a crop of `region_mm`."""
    return (
        round((box_mm[0] - region_mm[0]) * px_per_mm),
        round((box_mm[1] - region_mm[1]) * px_per_mm),
        round(box_mm[2] * px_per_mm),
        round(box_mm[3] * px_per_mm),
    )


def quad_of(page: RegisteredPage, field: Field, shift_mm: tuple[float, float] = (0.0, 0.0)) -> Quad:
    """The field's corners TL, TR, BR, BL in pixels of the capture; of bubbles, their hull's."""
    assert page.mm_to_px is not None
    x, y, width, height = field.hull_mm()
    corners = to_px(page.mm_to_px, corners_of((x + shift_mm[0], y + shift_mm[1], width, height)))
    top_left, top_right, bottom_right, bottom_left = (as_point(corner) for corner in corners)
    return (top_left, top_right, bottom_right, bottom_left)


def _region(hull: Box, around: Box | None) -> Box:
    """The hull with its surroundings: what the layout calls empty, within our limits."""
    x, y, width, height = hull
    right, bottom = x + width, y + height
    ax, ay, a_width, a_height = around or (x, y, width, height)
    grown = [x - ax, y - ay, ax + a_width - right, ay + a_height - bottom]
    left_mm, top_mm, right_mm, bottom_mm = (float(np.clip(g - EDGE_MM, LEAST_AROUND_MM, MOST_AROUND_MM)) for g in grown)
    return (x - left_mm, y - top_mm, width + left_mm + right_mm, height + top_mm + bottom_mm)
