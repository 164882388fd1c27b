"""How likely each seat number is, by the ink in its cells and by the class list. Pure.

Two recognisers look at every cell. They see the same ink and learned from the same hands, so their opinions are not
two independent witnesses: pooled as a product (which would count them so) they were wrong and sure 8 times in 4,489
real two-digit numbers at 0.999. The logarithmic pool (Genest and Zidek, Statistical Science 1 (1986) 114-135), a
geometric mean, lets either veto and neither count twice.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.recognisers import Recognition

SURE_SEAT = 0.99
"""A page is booked by its own seat number from here on. Chosen on figures: see `docs/reading.md`."""

STRANGER = 1 / 100
"""How much rarer a number is that nobody on the class list has than one that somebody has.

One pupil in a hundred writes such a number (an old list, another class), and they spread over the fifty or so that
are free: (0.01 / 54) / (0.99 / 45), about 1 in 120.
"""

NO_DIGIT = 0.1
"""How much rarer ink that is no digit is in a seat cell than among the marks that the recognisers were calibrated on.

There a third of all marks is none of these; in a seat cell hardly one in a hundred is (crossed out, a letter, a
doodle). Such a shift of the prior weighs the posterior (Saerens, Latinne and Decaestecker, Neural Computation 14 (2002)
21-41): by a fiftieth; we stay on the cautious side of that.
"""

UNSEEN_DIGIT = 0.03
"""How likely an empty last cell holds a digit that was not seen.

One digit in some 10,000 is not (measured), against the 3 % of the pupils up to 9 who are assumed to write into the
first cell."""

_LEAST_SHARE = 1e-5
_VETO = 1e-6
"""The share of a digit that one recogniser does not mention at all: it may still be mistaken."""

_OTHER = 10  # the place after the ten digits: ink that is no digit

Cell = NDArray[np.float64]
"""Ten digits and "none of these": probabilities that add up to 1."""


class Seat(msgspec.Struct, frozen=True):
    """What the seat cells or columns say, by their ink alone. Kept with the page, so that it may be weighed again.

    `shares` are (number, probability), likeliest first, from 1 to 99; what they lack to 1 is ink that is
    no seat number.
    `agreed`: whether both recognisers read the same digit in every cell.
    """

    shares: tuple[tuple[int, float], ...] = ()
    agreed: bool = False

    @classmethod
    def plain(cls, number: int, confidence: float) -> Seat:
        """A number that was read without alternatives."""
        return cls(((number, confidence),), agreed=True)

    @property
    def likeliest(self) -> tuple[int, float] | None:
        """The likeliest number by the ink alone, and its share."""
        return self.shares[0] if self.shares else None

    def share_of(self, number: int) -> float:
        """The probability of a number by the ink alone."""
        return next((share for seat, share in self.shares if seat == number), 0.0)

    def outside(self, seats: Collection[int]) -> float:
        """The weight, against the shares of `seats`, of its being none of them: another number, or no number."""
        known = sum(share for _, share in self.shares)
        elsewhere = sum(share for seat, share in self.shares if seat not in seats)
        return elsewhere * STRANGER + max(0.0, 1.0 - known) * NO_DIGIT


def read_cell(mark: Recognition, line: Recognition) -> Cell:
    """What is in one cell: a mark's and a line's reading of the same ink, pooled."""
    pooled = np.sqrt((_spread(mark) + _VETO) * (_spread(line) + _VETO))
    return np.asarray(pooled / pooled.sum())


def seat_of_cells(cells: Sequence[Cell], *, agreed: bool, empty_after: int = 0) -> Seat:
    """The seat of its written cells, most significant first; leading empty cells say nothing.

    `empty_after`: how many cells to their right are empty. A 7 in the first cell is a 7 in the wrong place, or 7 and
    a digit too faint to be seen: never certain.
    """
    shares = np.ones(1)
    for cell in cells:
        shares = np.outer(shares, cell[:_OTHER]).ravel()
    for _ in range(empty_after):
        unseen = np.repeat(shares * (UNSEEN_DIGIT / 10), 10)
        unseen[: len(shares)] += shares * (1 - UNSEEN_DIGIT)
        shares = unseen
    order = np.argsort(-shares, kind="stable")
    found = [(int(n), round(float(shares[n]), 8)) for n in order if n > 0 and shares[n] >= _LEAST_SHARE]
    return Seat(tuple(found), agreed and not empty_after)


def sure_seat(seat: Seat, seats: Collection[int]) -> tuple[int | None, float]:
    """The seat of `seats` that the page names for certain by itself, else None; and how likely the best one is.

    The class list is a prior, not a net: a number that nobody has stays a likely answer, and ink that is no number
    stays one in full. Without `seats` any number is as good as another.
    """
    found = [(number, share) for number, share in seat.shares if not seats or number in seats]
    if not found:
        return None, 0.0
    number, share = found[0]
    total = sum(each for _, each in found) + seat.outside(seats or {each for each, _ in seat.shares})
    confidence = share / total
    return (number if seat.agreed and confidence >= SURE_SEAT else None), confidence


def merged(seats: Sequence[Seat]) -> Seat:
    """What several photos of one sheet say together: their mean, since they show the same ink and not more of it."""
    numbers = {number for seat in seats for number, _ in seat.shares}
    mean = [(number, sum(seat.share_of(number) for seat in seats) / len(seats)) for number in numbers]
    return Seat(tuple(sorted(mean, key=lambda each: (-each[1], each[0]))), all(seat.agreed for seat in seats))


def _spread(said: Recognition) -> Cell:
    """A recognition as probabilities of all digits.

    What the candidates leave is spread evenly over the digits that they do not name and "none of these"; a digit that
    is not named gets no more than the least that is.
    """
    p = np.zeros(_OTHER + 1)
    if said.text is None:
        p[_OTHER] = 1.0
        return p
    named = [(each.text, each.confidence) for each in said.candidates] or [(said.text, said.confidence)]
    for text, confidence in named:
        p[int(text) if len(text) == 1 and text in "0123456789" else _OTHER] += confidence
    rest = max(0.0, 1.0 - float(p.sum()))
    unnamed = np.flatnonzero(p[:_OTHER] == 0)
    each = min(rest / (len(unnamed) + 1), *(confidence for _, confidence in named))
    p[unnamed] = each
    p[_OTHER] += rest - each * len(unnamed)
    return p
