"""The class list: who sits where. Parsing is pure: bytes or text in, a `Roster` out."""

from __future__ import annotations

import msgspec


class Pupil(msgspec.Struct, frozen=True):
    """One pupil. `pupil_id` is the school's own id, never a national number; `seat` counts from 1."""

    class_name: str
    seat: int
    name: str
    pupil_id: str


class Roster(msgspec.Struct, frozen=True):
    """Pupils of one or more classes, in class and seat order."""

    pupils: tuple[Pupil, ...]

    def classes(self) -> tuple[str, ...]:
        """Class names in order of first appearance."""
        return tuple(dict.fromkeys(p.class_name for p in self.pupils))

    def of_class(self, class_name: str) -> tuple[Pupil, ...]:
        """The pupils of one class, by seat."""
        return tuple(sorted((p for p in self.pupils if p.class_name == class_name), key=lambda p: p.seat))

    def at_seat(self, class_name: str, seat: int) -> Pupil | None:
        """Who sits at `seat` (from 1) in a class, or None."""
        return next((p for p in self.pupils if p.class_name == class_name and p.seat == seat), None)

    def by_id(self, pupil_id: str) -> Pupil | None:
        """The pupil of that id, or None."""
        return next((p for p in self.pupils if p.pupil_id == pupil_id), None)
