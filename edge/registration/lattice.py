"""Where the bubbles of a card are in a picture: blobs of one size, and the pose in which most bubbles lie on one.

The bubbles themselves are the anchors: they are many, they are everywhere on the card, and they are what is read. Once
the picture is made roughly square to the paper, the distances of neighbouring blobs give turn and scale; where the
bubbles lie is a vote of every pair of a bubble and a blob (a Hough transform over shifts), for each of the four
turns; and each likely shift grows from where it fits best into a homography (iterated closest points: P. Besl and
N. McKay, *A Method for Registration of 3-D Shapes*, PAMI 14, 1992). All turns and shifts are kept with their scores: a
lattice that fits twice proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.frames import Image
from edge.registration.geometry import Matrix, Points, inverse, to_px, turned_over
from homework.layout import Box

Ints = NDArray[np.intp]

AROUND = 24
"""How many of its neighbours a bubble is looked at with, where a fit starts and where the paper is bent."""

MOST_VOTERS = 160
MOST_BLOBS = 3000
SHIFTS_A_TURN = 3
SMALLEST_PX = 5

ON_ITS_BLOB = 0.22
"""A bubble is found when a blob's middle is so near, in distances to the next bubble."""

MOST_GROWN = 5
ON_THE_LATTICE, GOOD = 0.55, 0.85
"""Shares of the bubbles found: from the first on a pose is at most a step or a turn off, from the second on it is
the one."""

MOST_SQUEEZED = 0.3
"""A bubble may look so much wider or taller than in the layout (natural logarithm)."""

MIN_ELSEWHERE = 0.4
MOST_SHIFTS, MOST_ASIDE = 60, 2
"""So many ways to lay a card on itself are looked at for each turn; so many in each direction are kept."""

MIN_SEED = 0.55
"""Somewhere, a bubble and its neighbours must lie on blobs to such a share, or a shift is not followed."""

ALIKE = 0.3
"""Blobs of bubbles are as large as each other to such a share (perspective is taken out first)."""


@dataclass(frozen=True)
class Blobs:
    """Dark spots and paper enclosed by ink: middles (n, 2) and sides (n, 2) of their bounding boxes, in pixels."""

    middles: Points
    sides: Points


class CardPoints:
    """The bubbles of a card, and what is worked out of them once."""

    def __init__(self, boxes: Sequence[Box]) -> None:
        at = np.array(boxes, np.float64)
        self.sides = at[:, 2:]
        self.middles: Points = at[:, :2] + self.sides / 2
        away, self.near = _neighbours(self.middles, self.middles, AROUND)
        self.pitch = away[:, 1]
        self.low: Points = self.middles.min(axis=0)
        self.fine = 8.0 / float(np.median(self.pitch))
        self.steps = _steps(self.middles[self.near[:, :9]] - self.middles[:, None])
        every = max(len(at) // MOST_VOTERS, 1)
        self.voters = np.arange(0, len(at), every)
        self._nearest = Nearest((self.middles - self.low) * self.fine)
        self.others = _others(self)

    def nearest(self, places: Points) -> Ints:
        """The bubble nearest to each place, in mm."""
        return self._nearest.query((places - self.low) * self.fine)[1]

    def __len__(self) -> int:
        return len(self.middles)


@dataclass(frozen=True, eq=False)
class Pose:
    """One way in which a card may lie: mm → px of the searched picture, and which blob each bubble lies on (or -1).

    `offsets` (n, 2) is how far the blob is from where the homography puts the bubble, in px; `share` is that of the
    bubbles that were found; `size` is how large the printed bubbles are, of their boxes in the layout.
    """

    mm_to_px: Matrix
    blob: Ints
    offsets: Points
    share: float
    size: tuple[float, float]


def find_blobs(grey: Image, bubble_px: float) -> Blobs:
    """The blobs of a picture in which a bubble is roughly `bubble_px` large (half or twice is no matter)."""
    side = max(round(2.2 * bubble_px) | 1, 9)
    around = cv2.blur(grey, (side, side))
    # Darker than its surroundings by a share of them: light and shadow make no difference.
    limit = cv2.subtract(cv2.convertScaleAbs(around, alpha=0.935), np.array([1.0]))
    dark = np.asarray(cv2.compare(grey, limit, cv2.CMP_LT), np.uint8)
    found = []
    for mask, connected in ((dark, 8), (cv2.bitwise_not(dark), 4)):
        _, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=connected, ltype=cv2.CV_32S)
        box = np.asarray(stats, np.float64)[1:]
        least, most = max(0.3 * bubble_px, SMALLEST_PX), 2.5 * bubble_px
        sides = box[:, 2:4]
        solid = box[:, 4] >= 0.12 * sides.prod(axis=1)
        keep = (sides.min(axis=1) >= least) & (sides.max(axis=1) <= most) & solid
        keep &= sides.max(axis=1) <= 3 * sides.min(axis=1)
        found.append(box[keep])
    boxes = np.concatenate(found)
    # Of what lies within each other (an outline, the paper in it, a letter on that) the largest stands for all.
    boxes = boxes[np.argsort(-boxes[:, 2] * boxes[:, 3], kind="stable")]
    middles = boxes[:, :2] + (boxes[:, 2:4] - 1) / 2
    keep = np.ones(len(boxes), bool)
    cell = 0.3 * bubble_px
    for shift in ((0.0, 0.0), (0.5, 0.0), (0.0, 0.5), (0.5, 0.5)):
        cells = np.floor(middles / cell + shift).astype(np.int64)
        _, first = np.unique(cells[:, 0] * 1_000_003 + cells[:, 1], return_index=True)
        only = np.zeros(len(boxes), bool)
        only[first] = True
        keep &= only
    return Blobs(middles[keep][:MOST_BLOBS], boxes[keep, 2:4][:MOST_BLOBS])


class Nearest:
    """Which of some points is nearest to a place, for all places of a picture at once (a Voronoi diagram).

    `names` are what a query answers with, by default the points' own places in the list.
    """

    def __init__(self, points: Points, names: Ints | None = None) -> None:
        self.points = points
        self._names = names if names is not None else np.arange(len(points))
        self._places: Ints | None = None
        if names is not None:
            self._places = np.zeros(int(names.max()) + 1, np.intp)
            self._places[names] = np.arange(len(names))
        size = np.maximum(np.ceil(points.max(axis=0) / 2).astype(int), 0) + 2
        picture = np.full((int(size[1]), int(size[0])), 255, np.uint8)
        cells = np.round(points / 2).astype(int)
        picture[cells[:, 1], cells[:, 0]] = 0
        _, labels = cv2.distanceTransformWithLabels(
            picture, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
        )
        self._labels = np.asarray(labels)
        self._point = np.zeros(int(self._labels.max()) + 1, np.intp)
        self._point[self._labels[cells[:, 1], cells[:, 0]]] = np.arange(len(points))

    def middle_of(self, names: Ints) -> Points:
        """The points of these names."""
        if self._places is None:
            return self.points[names]
        return self.points[self._places[names]]

    def query(self, at: Points) -> tuple[NDArray[np.float64], Ints]:
        """The distance to the nearest point, and which it is."""
        height, width = self._labels.shape
        x = np.clip(np.round(at[:, 0] / 2), 0, width - 1).astype(np.intp)
        y = np.clip(np.round(at[:, 1] / 2), 0, height - 1).astype(np.intp)
        nearest = self._point[self._labels[y, x]]
        away: NDArray[np.float64] = np.linalg.norm(self.points[nearest] - at, axis=1)
        return away, self._names[nearest]


def _neighbours(of: Points, among: Points, count: int) -> tuple[NDArray[np.float64], Ints]:
    """The `count` nearest points of each, nearest first, with their distances; fewer where there are fewer."""
    away = np.sqrt(np.maximum(((of[:, None] - among[None]) ** 2).sum(axis=2), 0))
    count = min(count, len(among))
    near = np.argpartition(away, count - 1, axis=1)[:, :count]
    order = np.argsort(np.take_along_axis(away, near, 1), axis=1, kind="stable")
    near = np.take_along_axis(near, order, 1)
    return np.take_along_axis(away, near, 1), near


class Search:
    """A card looked for among the blobs of a picture. Bubbles are blobs of one size; `nearest` are those alike."""

    def __init__(self, card: CardPoints, blobs: Blobs, square_to_px: Matrix) -> None:
        """`square_to_px` takes a plane in which the paper is roughly square and in millimetres to the picture."""
        self.card, self.blobs, self._square_to_px = card, blobs, square_to_px
        self._told: tuple[Pose, tuple[float, list[tuple[Matrix, float]]]] | None = None

    def best(self) -> Pose | None:
        """The pose in which most bubbles are found, of all places that look like it; None when none does."""
        best: Pose | None = None
        for pose in self._likely():
            settled = self._move_to_better_place(pose)
            if best is None or settled.share > best.share:
                best = settled
            if best.share >= GOOD:
                break
        return best

    def elsewhere(self, pose: Pose) -> tuple[float, list[tuple[Matrix, float]]]:
        """How many of the bubbles lie on blobs like bubbles, and how many would at each other place and turn.

        Where these are is known of the card alone: its pattern laid on itself, a step aside or turned round.
        """
        if self._told is None or self._told[0] is not pose:
            self._told = pose, self._elsewhere(pose)
        return self._told[1]

    def _elsewhere(self, pose: Pose) -> tuple[float, list[tuple[Matrix, float]]]:
        card, found = self.card, pose.blob >= 0
        if not found.any():
            return 0.0, []
        at = to_px(pose.mm_to_px, card.middles) + pose.offsets
        sides = np.median(self.blobs.sides[pose.blob[found]], axis=0)
        fits = (np.abs(np.log(self.blobs.sides / sides)) < 2 * ALIKE).all(axis=1)
        nearest = Nearest(self.blobs.middles[fits])
        reach = 1.2 * ON_ITS_BLOB * _pitch_px(pose.mm_to_px, card)

        def share(places: Points) -> float:
            away, blob = nearest.query(places)
            return float(((away < reach) & _only(blob, away)).mean())

        others = []
        for other in card.others:
            # Where the paper is bent, a place is moved as the bubble nearest to it is.
            moved = to_px(other, card.middles)
            by = card.nearest(moved)
            bent = at[by] - to_px(pose.mm_to_px, card.middles[by])
            others.append((pose.mm_to_px @ other, share(bent + to_px(pose.mm_to_px, moved))))
        return share(at), others

    def settled(self, pose: Pose, matrix: Matrix) -> Pose | None:
        """The pose round another homography, with bubbles of the same size; None when they look squeezed there."""
        sides = np.median(self.blobs.sides[pose.blob[pose.blob >= 0]], axis=0)
        alike = np.flatnonzero((np.abs(np.log(self.blobs.sides / sides)) < 2 * ALIKE).all(axis=1))
        return _settled(self.card, self.blobs, Nearest(self.blobs.middles[alike], alike), matrix)

    def _likely(self) -> Iterator[Pose]:
        if len(self.blobs.middles) < 6:
            return
        to_square = inverse(self._square_to_px)
        square = to_px(to_square, self.blobs.middles)
        sides = _sides(to_square, self.blobs)
        for size in _sizes(sides):
            alike = np.flatnonzero(np.abs(np.log(sides / size)) < 1.6 * ALIKE)
            if len(alike) < 6:
                continue
            nearest = Nearest(self.blobs.middles[alike], alike)
            starts = [self._square_to_px @ start for start in _starts(self.card, square[alike])]
            seeds = [(_seed(self.card, nearest, start), start) for start in starts]
            seeds.sort(key=lambda seed: -seed[0][0])
            for (support, seed), start in seeds[:MOST_GROWN]:
                if support < MIN_SEED:
                    break
                grown = _grow(self.card, nearest, start, seed)
                pose = _settled(self.card, self.blobs, nearest, grown) if grown is not None else None
                if pose is not None and pose.share >= ON_THE_LATTICE:
                    yield pose
                    break

    def _move_to_better_place(self, pose: Pose) -> Pose:
        """From a pose that is a step or a turn off to the one in which more bubbles are found."""
        for _ in range(3):
            own, others = self.elsewhere(pose)
            better, share = max(others, key=lambda other: other[1], default=(pose.mm_to_px, 0.0))
            if share <= own:
                break
            moved = self.settled(pose, better)
            if moved is None or moved.share <= pose.share:
                break
            pose = moved
        return pose


def _others(card: CardPoints) -> list[Matrix]:
    """The ways to lay the card's bubbles on themselves, but for the one that moves nothing: mm → mm.

    Of each turn the best, and from there the best ones up, down, left and right: a long column of rows fits a step down
    better than a step aside, and yet it is a step aside that a slanted picture may be off.
    """
    step = min(s for s in (*card.steps, float(np.median(card.pitch))) if s > 0)
    others = []
    for quarter in range(4):
        turn = _quarter(quarter)
        turned = card.middles @ turn.T
        fits: list[tuple[float, Points]] = []
        for shift in _shifts(turned[card.voters], card.middles, step, most=MOST_SHIFTS):
            moved = turned + shift
            away = np.linalg.norm(card.middles[card.nearest(moved)] - moved, axis=1)
            fits.append((float((away < 0.35 * card.pitch).mean()), shift))
        fits.sort(key=lambda fit: -fit[0])
        taken: dict[int, int] = {}
        for share, shift in fits:
            way = shift - fits[0][1]
            side = 0 if not way.any() else 1 + round(float(np.arctan2(way[1], way[0])) / (np.pi / 2)) % 4
            taken[side] = taken.get(side, 0) + 1
            same = quarter == 0 and np.linalg.norm(shift) < 0.3 * step
            if share >= MIN_ELSEWHERE and taken[side] <= MOST_ASIDE and not same:
                others.append(np.vstack([np.column_stack([turn, shift]), [0, 0, 1]]))
    return others


def same_place(card: CardPoints, one: Matrix, other: Matrix) -> bool:
    """Whether two poses put most bubbles on the same places."""
    here, there = to_px(one, card.middles), to_px(other, card.middles)
    reach = _pitch_px(one, card)
    return bool(np.median(np.linalg.norm(here - there, axis=1) / reach) < 0.5)


def _sides(to_square: Matrix, blobs: Blobs) -> NDArray[np.float64]:
    """The blobs' sizes in the square plane, so that perspective makes no difference."""
    step = np.array([0.5, 0.0])
    scale = np.linalg.norm(to_px(to_square, blobs.middles + step) - to_px(to_square, blobs.middles - step), axis=1)
    return np.asarray(np.sqrt(blobs.sides.prod(axis=1)) * scale, np.float64)


def _sizes(sides: NDArray[np.float64]) -> list[float]:
    """The commonest sizes of blobs, largest first: bubbles are one of them, letters and digits others."""
    logs = np.log(np.maximum(sides, 1e-6))
    bins = np.arange(logs.min() - 0.1, logs.max() + 0.2, 0.08)
    counts, edges = np.histogram(logs, bins)
    smooth = np.convolve(counts, np.ones(3), "same")
    peaks = [
        (smooth[k], float(np.exp((edges[k] + edges[k + 1]) / 2)))
        for k in range(len(smooth))
        if smooth[k] >= 6 and smooth[k] == smooth[max(k - 3, 0) : k + 4].max()
    ]
    most = max((count for count, _ in peaks), default=0)
    large = [size for count, size in peaks if count >= 0.3 * most]
    chosen: list[float] = []
    for size in sorted(large, reverse=True):
        if all(abs(np.log(size / other)) > ALIKE for other in chosen):
            chosen.append(size)
    return chosen[:2]


def _starts(card: CardPoints, square: Points) -> list[Matrix]:
    """Likely affine maps mm → square plane: each turn with its best shifts."""
    some = square[:: max(len(square) // MOST_VOTERS, 1)]
    away, near = _neighbours(some, square, 9)
    reach = 2.5 * float(np.median(away[:, 1]))
    ways = (square[near[:, 1:]] - some[:, None])[away[:, 1:] < reach]
    if not len(ways):
        return []
    angle = _common_angle(ways)
    axes = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    steps = _steps((square[near] - some[:, None]) @ axes.T)
    # Where nothing lies beside the bubbles (a single row), the other distance says the scale.
    level, upright = steps[0] or steps[1], steps[1] or steps[0]
    across, down = card.steps[0] or card.steps[1], card.steps[1] or card.steps[0]
    if not level or not across:
        return []
    starts: list[Matrix] = []
    for quarter in range(4):
        along = (across, down) if quarter % 2 == 0 else (down, across)
        linear = axes.T @ np.diag([level / along[0], upright / along[1]]) @ _quarter(quarter)
        starts.extend(
            np.vstack([np.column_stack([linear, shift]), [0, 0, 1]])
            for shift in _shifts(card.middles[card.voters] @ linear.T, square, min(level, upright))
        )
    return starts


def _quarter(turns: int) -> NDArray[np.float64]:
    c, s = ((1, 0), (0, 1), (-1, 0), (0, -1))[turns]
    return np.array([[c, -s], [s, c]], np.float64)


def _common_angle(ways: Points) -> float:
    """The direction, within an eighth of a turn of level, in which most neighbours lie (or across it)."""
    four = np.arctan2(ways[:, 1], ways[:, 0]) * 4
    bins = 72
    counts = np.bincount(np.floor((four % (2 * np.pi)) / (2 * np.pi) * bins).astype(int) % bins, minlength=bins)
    smooth = counts + np.roll(counts, 1) + np.roll(counts, -1)
    peak = (int(smooth.argmax()) + 0.5) * 2 * np.pi / bins
    off = (four - peak + np.pi) % (2 * np.pi) - np.pi
    near = np.abs(off) < 3 * 2 * np.pi / bins
    return float(((peak + np.median(off[near]) + np.pi) % (2 * np.pi) - np.pi) / 4)


def _steps(ways: Points) -> tuple[float, float]:
    """The usual distance to the next point along and across; 0 where nothing lies in that direction.

    `ways` (n, neighbours, 2) are the ways to the nearest points (a point itself may be one of them).
    """
    steps = []
    for along in (0, 1):
        straight = np.abs(ways[..., 1 - along]) < 0.25 * np.abs(ways[..., along])
        away = np.where(straight, np.abs(ways[..., along]), np.inf).min(axis=1)
        away = away[np.isfinite(away)]
        steps.append(float(np.median(away)) if len(away) >= 3 else 0.0)
    return steps[0], steps[1]


def _shifts(turned: Points, square: Points, step: float, *, most: int = SHIFTS_A_TURN) -> list[Points]:
    """The shifts for which most points land on a blob, the commonest first."""
    if step <= 0:
        return []
    width = 0.2 * step
    # In whole cells a vote is one subtraction, of numbers that hold both coordinates.
    cells, steps = (np.floor(points / width).astype(np.int64) for points in (square, turned))
    low = cells.min(axis=0) - steps.max(axis=0)
    shape = cells.max(axis=0) - steps.min(axis=0) - low + 1
    if shape.prod() > 4_000_000:
        return []
    here = (cells - low) @ [shape[1], 1]
    there = steps @ [shape[1], 1]
    counts = np.bincount((here[None] - there[:, None]).ravel(), minlength=int(shape.prod()))
    raw = counts.reshape(shape).astype(np.float32)
    grid = cv2.blur(raw, (3, 3), borderType=cv2.BORDER_CONSTANT)
    shifts = []
    for _ in range(most):
        x, y = np.unravel_index(int(grid.argmax()), grid.shape)
        if grid[x, y] <= 0:
            break
        # The votes' middle round the peak, finer than a cell.
        part = raw[max(x - 2, 0) : x + 3, max(y - 2, 0) : y + 3]
        across, down = np.mgrid[
            max(x - 2, 0) : max(x - 2, 0) + part.shape[0], max(y - 2, 0) : max(y - 2, 0) + part.shape[1]
        ]
        middle = np.array([(across * part).sum(), (down * part).sum()]) / max(part.sum(), 1)
        shifts.append((low + middle) * width)
        grid[max(x - 3, 0) : x + 4, max(y - 3, 0) : y + 4] = 0
    return shifts


def _seed(card: CardPoints, nearest: Nearest, start: Matrix) -> tuple[float, int]:
    """Where a start fits best: the share of the bubbles there that lie on a blob, and the bubble in their middle."""
    away, _ = _nearest(card, nearest, start)
    support = (away < 0.4)[card.near].mean(axis=1)
    best = int(support.argmax())
    return float(support[best] + 0.1 * support.mean()), best


def _grow(card: CardPoints, nearest: Nearest, start: Matrix, seed: int) -> Matrix | None:
    """The homography that grows from where `start` fits best; None when it does not hold together."""
    order = np.argsort(np.linalg.norm(card.middles - card.middles[seed], axis=1), kind="stable")
    count = len(card)
    matrix = start
    for share in (0.0, 0.2, 0.4, 0.7, 1.0, 1.0):
        part = order[: max(int(share * count), min(AROUND, count))]
        hit, points = _hits(card, nearest, matrix, part)
        if len(hit) < 5 or len(hit) < 0.35 * len(part):
            return None
        fitted = _fit(card.middles[hit], points, affine=share < 0.4)
        if fitted is None or turned_over(fitted, card.middles):
            return None
        matrix = fitted
    return matrix


def _hits(card: CardPoints, nearest: Nearest, matrix: Matrix, part: Ints) -> tuple[Ints, Points]:
    """Those of some bubbles that lie near a blob that is theirs alone, and the blobs' middles."""
    at = to_px(matrix, card.middles[part])
    away, blob = nearest.query(at)
    hit = (away < 0.42 * _pitch_px(matrix, card, part)) & _only(blob, away)
    return part[hit], nearest.middle_of(blob[hit])


def _settled(card: CardPoints, blobs: Blobs, nearest: Nearest, matrix: Matrix) -> Pose | None:
    """The pose round a homography, fitted to what is surely found; None when the bubbles look squeezed there."""
    pose = _pose(card, blobs, nearest, matrix)
    for _ in range(3):
        hit = np.flatnonzero(pose.blob >= 0)
        if len(hit) < 8:
            break
        fitted = _fit(card.middles[hit], blobs.middles[pose.blob[hit]], affine=False)
        if fitted is None or turned_over(fitted, card.middles):
            break
        again = _pose(card, blobs, nearest, fitted)
        if again.share < pose.share:
            break
        done = again.share < pose.share + 0.005
        pose = again
        if done:
            break
    return pose if abs(np.log(pose.size[0] / pose.size[1])) < MOST_SQUEEZED else None


def _pose(card: CardPoints, blobs: Blobs, nearest: Nearest, matrix: Matrix) -> Pose:
    """The pose of a homography: bent paper is followed, in small steps, from bubble to bubble."""
    at = to_px(matrix, card.middles)
    reach = _pitch_px(matrix, card)
    bend = np.zeros_like(at)
    for limit in (0.35, 0.3, ON_ITS_BLOB):
        away, blob = nearest.query(at + bend)
        hit = (away < limit * reach) & _only(blob, away)
        offset = np.where(hit[:, None], blobs.middles[blob] - at, 0.0)
        if limit == ON_ITS_BLOB:
            break
        weight = hit[card.near].sum(axis=1)
        bend = offset[card.near].sum(axis=1) / np.maximum(weight, 1)[:, None]
        bend[weight < card.near.shape[1] / 3] = 0
        long = np.linalg.norm(bend, axis=1)
        bend *= np.minimum(1, 0.45 * reach / np.maximum(long, 1e-9))[:, None]
    size, hit = _size(card, matrix, blobs.sides[blob], hit)
    offset[~hit] = 0
    return Pose(matrix, np.where(hit, blob, -1), offset, float(hit.mean()), size)


def _size(
    card: CardPoints, matrix: Matrix, sides: Points, hit: NDArray[np.bool_]
) -> tuple[tuple[float, float], NDArray[np.bool_]]:
    """The printed bubbles' width and height, of their boxes; and which of the blobs are of that size."""
    expected = _box_px(matrix, card)
    ratio = sides / expected
    if not hit.any():
        return (1.0, 1.0), hit
    usual = np.median(ratio[hit], axis=0)
    # A mark may reach over the outline, and never makes it smaller.
    fits = (ratio > (1 - ALIKE) * usual) & (ratio < (1 + 2 * ALIKE) * usual)
    return (float(usual[0]), float(usual[1])), hit & fits.all(axis=1)


def _box_px(matrix: Matrix, card: CardPoints) -> Points:
    """The bounding boxes' sides in the picture: of ellipses, whichever way they are turned."""
    half = card.sides / 2
    right = to_px(matrix, card.middles + half * [1, 0]) - to_px(matrix, card.middles - half * [1, 0])
    down = to_px(matrix, card.middles + half * [0, 1]) - to_px(matrix, card.middles - half * [0, 1])
    return np.asarray(np.sqrt(right**2 + down**2), np.float64)


def _nearest(card: CardPoints, nearest: Nearest, matrix: Matrix) -> tuple[NDArray[np.float64], Ints]:
    """Each bubble's nearest blob, and how far it is in distances to the next bubble."""
    reach = _pitch_px(matrix, card)
    away, blob = nearest.query(to_px(matrix, card.middles))
    return np.asarray(away / reach, np.float64), blob


def _pitch_px(matrix: Matrix, card: CardPoints, part: Ints | None = None) -> NDArray[np.float64]:
    """The distance to each bubble's next one, in px, in whichever direction it is less."""
    middles, pitch = (card.middles, card.pitch) if part is None else (card.middles[part], card.pitch[part])
    right, down = np.array([0.5, 0.0]), np.array([0.0, 0.5])
    right = to_px(matrix, middles + right) - to_px(matrix, middles - right)
    down = to_px(matrix, middles + down) - to_px(matrix, middles - down)
    least = np.sqrt(np.minimum((right**2).sum(axis=1), (down**2).sum(axis=1)))
    return np.asarray(np.maximum(least * pitch, 1e-6), np.float64)


def _only(blob: Ints, away: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether a bubble is the nearest one to its blob."""
    order = np.lexsort((away, blob))
    first = np.ones(len(blob), bool)
    first[1:] = blob[order][1:] != blob[order][:-1]
    only = np.zeros(len(blob), bool)
    only[order] = first
    return only


def _fit(points_mm: Points, points_px: Points, *, affine: bool) -> Matrix | None:
    """Least squares, twice: what lies far off the first time is left out the second."""
    kept = np.ones(len(points_mm), bool)
    matrix: Matrix | None = None
    for _ in range(2):
        if affine:
            level = np.column_stack([points_mm[kept], np.ones(int(kept.sum()))])
            solved, *_rest = np.linalg.lstsq(level, points_px[kept], rcond=None)
            matrix = np.vstack([solved.T, [0, 0, 1]])
        else:
            found, _ = cv2.findHomography(points_mm[kept], points_px[kept], 0)
            matrix = None if found is None else np.asarray(found, np.float64)
        if matrix is None or not np.isfinite(matrix).all() or abs(np.linalg.det(matrix)) < 1e-12:
            return None
        off = np.linalg.norm(to_px(matrix, points_mm) - points_px, axis=1)
        kept = off <= 3 * np.median(off) + 1e-6
        if kept.sum() < 5:
            return matrix
    return matrix
