"""What goes wrong between a page and its picture: the rows of `perturb`. Pure drawing; nothing of the box is used."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Floats = NDArray[np.float32]

CAMERA_ABOVE_MM = 450.0
MARGIN = 1.06
"""The picture is so much wider than the page it has to hold, turned as it is."""

SKIN = (132, 164, 212)


@dataclass(frozen=True)
class Scene:
    """A photograph of one page, 0 to 255, seen from above unless said otherwise.

    `lift_mm` is the height of the page's middle over its edges (a curl; with `folded`, a fold). `covered` are
    corners of the paper (0 TL, 1 TR, 2 BR, 3 BL) under a hand, `torn` ones that are gone, `cut_mm` is how much of
    the paper's bottom lies outside the picture. `blur` is a Gaussian's deviation in pixels for each 1,000 of the
    picture's width; `light` is what is left of it in the darkest corner, `shadow` behind an edge across the page.
    `barrel` is the lens's first radial coefficient, of half the diagonal.
    """

    wide_px: int = 2250
    turn_deg: float = 0.0
    tilt_deg: float = 0.0
    lift_mm: float = 0.0
    folded: bool = False
    covered: tuple[int, ...] = ()
    torn: tuple[int, ...] = ()
    cut_mm: float = 0.0
    desk: int = 95
    light: float = 1.0
    shadow: float = 1.0
    brightness: float = 1.0
    glare: float = 0.0
    blur: float = 0.0
    noise: float = 2.0
    barrel: float = 0.0


ROWS: tuple[tuple[str, Scene], ...] = (
    ("as it is", Scene()),
    ("turned 10°", Scene(turn_deg=10)),
    ("turned 25°", Scene(turn_deg=25)),
    ("turned 90°", Scene(turn_deg=90)),
    ("turned 180°", Scene(turn_deg=180)),
    ("tilted 10°", Scene(tilt_deg=10)),
    ("tilted 20°", Scene(tilt_deg=20)),
    ("tilted 30°", Scene(tilt_deg=30)),
    ("light falling to 50 %", Scene(light=0.5)),
    ("light falling to 30 %", Scene(light=0.3)),
    ("shadow edge at 60 %", Scene(shadow=0.6)),
    ("shadow edge at 40 %", Scene(shadow=0.4)),
    ("blur 2", Scene(blur=2)),
    ("blur 4", Scene(blur=4)),
    ("noise 15", Scene(noise=15)),
    ("desk grey 160", Scene(desk=160)),
    ("desk grey 210", Scene(desk=210)),
    ("640 px wide", Scene(wide_px=640)),
    ("brightness 40 %", Scene(brightness=0.4)),
    ("glare", Scene(glare=0.75)),
    ("curled, 8 mm high", Scene(lift_mm=8)),
    ("curled, 16 mm high", Scene(lift_mm=16)),
    ("folded, 8 mm high", Scene(lift_mm=8, folded=True)),
    ("one corner covered", Scene(covered=(0,))),
    ("two corners covered", Scene(covered=(0, 3))),
    ("two corners torn off", Scene(torn=(0, 2))),
    ("two corners outside", Scene(cut_mm=14)),
    ("barrel lens 3 %", Scene(barrel=-0.03)),
    ("barrel lens 8 %", Scene(barrel=-0.08)),
)


def photograph(
    paper: Picture, page_mm: tuple[float, float], scene: Scene, rng: np.random.Generator, *, code_corner: int = -1
) -> Picture:
    """The scene's picture (4 high for 3 wide, BGR) of `paper` (BGR, filling `page_mm`).

    Corners to be hidden are chosen anew by turning the scene's list round the page until it leaves `code_corner`
    free: a hand over the code is another case.
    """
    return photograph_and_map(paper, page_mm, scene, rng, code_corner=code_corner)[0]


def photograph_and_map(
    paper: Picture, page_mm: tuple[float, float], scene: Scene, rng: np.random.Generator, *, code_corner: int = -1
) -> tuple[Picture, Floats]:
    """The picture, and where on the page (mm) each of its pixels looks: (height, width, 2)."""
    width, height = scene.wide_px, scene.wide_px * 4 // 3
    px_per_mm = paper.shape[1] / page_mm[0]
    sheet = _with_corners_gone(paper, _round(scene, rng, code_corner), px_per_mm)
    at_mm, seen = _ground(page_mm, scene, (width, height), rng)
    at_px = (at_mm * px_per_mm - 0.5).astype(np.float32)
    shrink = px_per_mm / seen
    if shrink > 1:  # what a lens averages over a pixel
        sheet = np.asarray(cv2.GaussianBlur(sheet, (0, 0), max(0.4 * shrink - 0.2, 0.3)), np.uint8)
    outside = _desk(scene, (width, height), rng)
    picture = cv2.remap(
        sheet, at_px[..., 0], at_px[..., 1], cv2.INTER_LINEAR, dst=outside, borderMode=cv2.BORDER_TRANSPARENT
    ).astype(np.float32)
    return _exposed(picture, scene, at_mm, page_mm, rng), at_mm


def _round(scene: Scene, rng: np.random.Generator, code_corner: int) -> Scene:
    gone = scene.covered + scene.torn
    turns = [n for n in range(4) if code_corner not in {(corner + n) % 4 for corner in gone}]
    by = int(rng.choice(turns)) if gone and turns else 0
    return replace(
        scene,
        covered=tuple((corner + by) % 4 for corner in scene.covered),
        torn=tuple((corner + by) % 4 for corner in scene.torn),
    )


def _with_corners_gone(paper: Picture, scene: Scene, px_per_mm: float) -> Picture:
    sheet = paper.copy()
    height, width = sheet.shape[:2]
    corners = ((0, 0), (width, 0), (width, height), (0, height))
    for corner in scene.torn:
        x, y = corners[corner]
        reach = 34 * px_per_mm
        inward = [(x, y), (x + np.sign(width / 2 - x) * reach, y), (x, y + np.sign(height / 2 - y) * reach)]
        cv2.fillConvexPoly(sheet, np.array(inward).round().astype(np.int32), (scene.desk,) * 3, cv2.LINE_AA)
    for corner in scene.covered:
        x, y = corners[corner]
        toward = np.array([np.sign(width / 2 - x), np.sign(height / 2 - y)]) * px_per_mm
        for along, wide in ((0, 22), (6, 19), (12, 16)):
            at = np.round((x, y) + toward * along).astype(int)
            cv2.circle(sheet, (int(at[0]), int(at[1])), round(wide * px_per_mm), SKIN, -1, cv2.LINE_AA)
    return sheet


def _ground(
    page_mm: tuple[float, float], scene: Scene, size: tuple[int, int], rng: np.random.Generator
) -> tuple[Floats, float]:
    """Where on the page (mm) each pixel looks, (height, width, 2), and the picture's pixels a millimetre."""
    width, height = size
    angle = np.deg2rad(scene.turn_deg + float(rng.normal(0, 0.6)))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    half = np.array(page_mm) / 2
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half @ turn.T
    tilt = np.deg2rad(scene.tilt_deg)
    seen = _through_lens(corners, tilt)
    middle = (seen.max(axis=0) + seen.min(axis=0)) / 2
    scale = min(np.array(size) / (np.ptp(seen, axis=0) * MARGIN))
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    ray = np.stack([x - (width - 1) / 2, y - (height - 1) / 2], axis=-1)
    if scene.barrel:
        # A lens that draws what lies far out nearer: the pixel at r shows what a true lens has at r (1 - k r²).
        far = (ray**2).sum(axis=-1, keepdims=True) / ((width / 2) ** 2 + (height / 2) ** 2)
        ray = ray * (1 - scene.barrel * far) / (1 - scene.barrel)
    ray = ray / scale + middle
    # Back from the image plane to the tilted desk.
    z = CAMERA_ABOVE_MM
    down = z * ray[..., 1] / (z * np.cos(tilt) - ray[..., 1] * np.sin(tilt))
    across = ray[..., 0] * (z + down * np.sin(tilt)) / z
    at = np.stack([across, down], axis=-1) @ turn  # turned back
    if scene.lift_mm:
        at = _lifted(at, half, scene, rng)
    if scene.cut_mm:
        at[..., 1] -= scene.cut_mm + (height / scale - page_mm[1]) / 2  # the page slides out at the bottom
    return (at + half).astype(np.float32), float(scale)


def _through_lens(points: NDArray[np.float64], tilt: float) -> NDArray[np.float64]:
    depth = CAMERA_ABOVE_MM + points[:, 1] * np.sin(tilt)
    seen = np.stack([points[:, 0], points[:, 1] * np.cos(tilt)], axis=1) * (CAMERA_ABOVE_MM / depth)[:, None]
    return np.asarray(seen, np.float64)


def _lifted(
    at: NDArray[np.float64], half: NDArray[np.float64], scene: Scene, rng: np.random.Generator
) -> NDArray[np.float64]:
    """The paper's own place where the line of sight meets it: what stands higher is seen farther out."""
    slant = float(rng.uniform(-0.5, 0.5)) + (0.0 if rng.random() < 0.5 else np.pi / 2)
    across = np.array([np.cos(slant), np.sin(slant)])
    reach = float(np.abs(across) @ half)
    on = at.copy()
    for _ in range(4):
        way = np.clip(on @ across / reach, -1, 1)
        high = scene.lift_mm * ((1 - np.abs(way)) if scene.folded else np.cos(way * np.pi / 2))
        on = at * (1 - high / CAMERA_ABOVE_MM)[..., None]
    return on


def _desk(scene: Scene, size: tuple[int, int], rng: np.random.Generator) -> Picture:
    width, height = size
    grain = rng.normal(0, 1, (height // 16 + 1, width // 64 + 1)).astype(np.float32)
    rough = cv2.resize(grain, (width, height), interpolation=cv2.INTER_LINEAR) * 3 + scene.desk
    return np.asarray(cv2.merge([np.clip(rough, 0, 255).astype(np.uint8)] * 3), np.uint8)


def _exposed(
    picture: Floats, scene: Scene, at_mm: Floats, page_mm: tuple[float, float], rng: np.random.Generator
) -> Picture:
    height, width = picture.shape[:2]
    light = np.full((height, width), scene.brightness, np.float32)
    if scene.light < 1:
        down, across = np.mgrid[0:height, 0:width].astype(np.float32)
        light *= 1 - (1 - scene.light) * (across / width + down / height) / 2
    if scene.shadow < 1:
        slant = float(rng.uniform(0, 2 * np.pi))
        through = np.array(page_mm) * rng.uniform(0.3, 0.7, 2)
        way = (at_mm - through.astype(np.float32)) @ np.array([np.cos(slant), np.sin(slant)], np.float32)
        light *= scene.shadow + (1 - scene.shadow) / (1 + np.exp(np.clip(-way / 1.5, -30, 30)))
    picture *= light[..., None]
    if scene.glare:
        spot = (np.array(page_mm) * rng.uniform(0.25, 0.75, 2)).astype(np.float32)
        bright = scene.glare * np.exp(-((at_mm - spot) ** 2).sum(axis=-1) / (2 * 28.0**2))
        picture += bright[..., None] * (255 - picture) * 1.25
    if scene.blur:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), scene.blur * width / 1000), np.float32)
    noise = rng.normal(0, scene.noise, 1 << 20).astype(np.float32)
    start = int(rng.integers(0, 1 << 19))
    flat = picture.reshape(-1)
    flat += np.resize(noise[start:], flat.shape)
    return np.clip(picture, 0, 255).astype(np.uint8)
