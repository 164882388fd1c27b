"""The recognisers, and every crop that they were asked to read."""

from __future__ import annotations

from collections.abc import Sequence

from edge.frames import Image
from models.recognisers import Kind, Recognisers, Recognition


class Listening:
    """Stands where the recognisers stand; `calls` are what was asked, in order, a kind and its crops each."""

    def __init__(self, recognisers: Recognisers) -> None:
        self._recognisers = recognisers
        self.calls: list[tuple[Kind, list[Image]]] = []

    @property
    def heard(self) -> list[tuple[Kind, Image]]:
        """Every crop with its kind."""
        return [(kind, crop) for kind, crops in self.calls for crop in crops]

    def read(self, kind: Kind, crops: Sequence[Image]) -> list[Recognition]:
        self.calls.append((kind, list(crops)))
        return self._recognisers.read(kind, crops)

    def threshold(self, kind: Kind) -> float:
        return self._recognisers.threshold(kind)
