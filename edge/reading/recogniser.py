"""What reading asks of the recognisers of handwriting (`models/recognisers.py` has them)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from edge.frames import Image


class Recognised(Protocol):
    """What one crop says: the likeliest text, its calibrated probability, and the runners-up, best first."""

    @property
    def text(self) -> str: ...
    @property
    def confidence(self) -> float: ...
    @property
    def candidates(self) -> Sequence[tuple[str, float]]: ...


class Recogniser(Protocol):
    """Reads crops of one kind (`number`, `letter`, `judge`, `compare`, `digit`)."""

    def read(self, kind: str, crops: Sequence[Image]) -> Sequence[Recognised]:
        """One recognition a crop: grey, paper bright, frame lines removed, about 8 px/mm."""
