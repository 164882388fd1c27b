"""`RegisteredPage → FieldCrop`: cut one field straight from the full-resolution capture, upright and without red.

The page as a whole is never flattened. A field and its surroundings are surveyed at 4 px/mm; only what was
written is cut again at the 8 px/mm that the recognisers want.
"""

from __future__ import annotations

import cv2
import numpy as np

from edge.frames import BoxPx, FieldCrop, Image, Quad, RegisteredPage
from edge.reading.glare import has_glare
from edge.reading.paper import WIDEST_FILL_MM, WIDEST_STROKE_MM, evened
from edge.reading.printed import Writing, without_print, writing_alone
from edge.reading.red import SOFT_PX, RedIs, looks_red, part_inks
from edge.registration.geometry import as_point, corners_of, to_px
from homework.layout import Box, Field

SURVEY_PX_PER_MM = 4.0
WRITING_PX_PER_MM = 8.0
LEAST_AROUND_MM = 1.6
MOST_AROUND_MM = 12.0
"""How far round a field the pupil's ink is looked for, at least and at most."""

EDGE_MM = 0.3
"""What is printed just beyond the empty surroundings may lie so much closer than the layout says."""


def crop_field(
    page: RegisteredPage,
    field: Field,
    shift_mm: tuple[float, float] = (0.0, 0.0),
    *,
    red_is: RedIs = "teacher",
) -> FieldCrop:
    """The field and the empty paper around it; `shift_mm` is how far it is printed from where the page puts it."""
    hull = field.hull_mm()
    region = _region(hull, field.around_mm)
    scale = SURVEY_PX_PER_MM
    image = cut(page, region, scale, shift_mm)
    red_ink = image.ndim == 3 and looks_red(image, scale)
    if image.ndim == 3:
        parted = part_inks(image, scale, _soft(page, region, scale, shift_mm, red_is), red_is) if red_ink else None
        red_ink = parted is not None and parted.any_red
        image = np.asarray(cv2.extractChannel(image, 2), np.uint8) if parted is None else parted.grey
    framed = page.empty is None
    printed = [box_in_crop(bubble.box_mm, region, scale) for bubble in field.bubbles] or [
        box_in_crop(hull, region, scale)
    ]
    # Only of our own print is it known that it is dark enough to be missed.
    ours = page.layout is None or page.layout.register == "markers"
    glare = ours and has_glare(image, printed, scale, are_round=field.round or bool(field.bubbles))
    image = evened(image, scale, largest_mm=WIDEST_FILL_MM if field.bubbles else WIDEST_STROKE_MM)
    image = without_print(page, image, region, scale, bubbles=[bubble.box_mm for bubble in field.bubbles])
    box_px = box_in_crop(hull, region, scale)
    return FieldCrop(field, image, scale, region, box_px, red_ink, shift_mm, red_is, framed, glare)


def cut_writing(
    page: RegisteredPage, region_mm: Box, shift_mm: tuple[float, float], *, red_ink: bool, red_is: RedIs = "teacher"
) -> Writing:
    """A region as a recogniser looks at it, grey. `red_ink`: whether there is any, to be taken away or to be read."""
    image = cut(page, region_mm, WRITING_PX_PER_MM, shift_mm, all_channels=red_ink)
    if image.ndim == 3:
        soft = _soft(page, region_mm, WRITING_PX_PER_MM, shift_mm, red_is)
        image = part_inks(image, WRITING_PX_PER_MM, soft, red_is).grey
    return writing_alone(page, evened(image, WRITING_PX_PER_MM), region_mm, WRITING_PX_PER_MM)


def _soft(
    page: RegisteredPage, region_mm: Box, px_per_mm: float, shift_mm: tuple[float, float], red_is: RedIs
) -> Image | None:
    """The crop as coarse as the capture's colours are; the pupil's red needs none."""
    if red_is == "pupil":
        return None
    return cut(page, region_mm, px_per_mm, shift_mm, blur_px=max(SOFT_PX, 0.5 * page.px_per_mm / px_per_mm))


def cut(
    page: RegisteredPage,
    region_mm: Box,
    px_per_mm: float,
    shift_mm: tuple[float, float] = (0.0, 0.0),
    *,
    all_channels: bool = True,
    blur_px: float = 0.0,
) -> Image:
    """A region of the page, upright: as the capture has it, or of a colour one the red channel alone.

    `blur_px`: softened first, by so many of the capture's pixels.
    """
    assert page.mm_to_px is not None
    x, y, width, height = region_mm
    x, y = x + shift_mm[0], y + shift_mm[1]
    size = (max(round(width * px_per_mm), 1), max(round(height * px_per_mm), 1))
    crop_to_mm = np.array([[1 / px_per_mm, 0, x + 0.5 / px_per_mm], [0, 1 / px_per_mm, y + 0.5 / px_per_mm], [0, 0, 1]])
    # Only the part of the capture that shows the region is touched: one channel of that costs a third of three.
    image = page.capture.image
    plane = page.plane_at((x, y, width, height))
    at = to_px(plane, corners_of((x, y, width, height)))
    x0, y0 = np.clip(np.floor(at.min(axis=0)).astype(int) - 2, 0, [image.shape[1] - 1, image.shape[0] - 1])
    x1, y1 = np.maximum(np.ceil(at.max(axis=0)).astype(int) + 3, [x0 + 1, y0 + 1])
    part = image[y0:y1, x0:x1]
    if part.ndim == 3 and not all_channels:
        part = np.asarray(cv2.extractChannel(part, 2), np.uint8)
    if blur_px:
        part = np.asarray(cv2.GaussianBlur(part, (0, 0), blur_px), np.uint8)
    to_part = np.array([[1.0, 0, -x0], [0, 1, -y0], [0, 0, 1]])
    crop = cv2.warpPerspective(
        part,
        to_part @ plane @ crop_to_mm,
        size,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(crop, np.uint8)


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


def surroundings_mm(field: Field) -> Box:
    """The field with as much paper round it as is looked at for the pupil's ink."""
    return _region(field.hull_mm(), field.around_mm)


def quad_of(page: RegisteredPage, field: Field, shift_mm: tuple[float, float] = (0.0, 0.0)) -> Quad:
    """The field's corners TL, TR, BR, BL in pixels of the capture; of bubbles, their hull's."""
    assert page.mm_to_px is not None
    x, y, width, height = field.hull_mm()
    corners = page.to_px(corners_of((x + shift_mm[0], y + shift_mm[1], width, height)))
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
