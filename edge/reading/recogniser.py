"""What reading asks of the recognisers of handwriting; `models.recognisers.Recognisers` is one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from edge.frames import Image
from models.recognisers import Kind, Recognition

__all__ = ["Kind", "Recogniser", "Recognition"]


class Recogniser(Protocol):
    """Reads crops of one kind, and knows below which confidence a person must look."""

    def read(self, kind: Kind, crops: Sequence[Image]) -> list[Recognition]:
        """One recognition a crop: grey, paper bright, frame lines removed, about 8 px/mm."""

    def threshold(self, kind: Kind) -> float:
        """The confidence under which a reading of this kind is for a person."""
