"""What the box asks of any camera, and of anything that yields pages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

from edge.frames import Capture, Frame
from homework.errors import ClassboxError


class CameraError(ClassboxError):
    """The camera is gone, frozen or black."""


class Camera(Protocol):
    """A camera over the desk: a small stream to watch, a full picture when a sheet rests."""

    @property
    def name(self) -> str:
        """What a person would call it."""

    def preview(self) -> Frame | None:
        """The next small grey frame (at most 640 px wide); waits for it. None when the source has ended.

        Raises `CameraError` when no frame comes.
        """

    def capture(self) -> Frame:
        """A full-resolution BGR frame of what lies there now. Raises `CameraError`."""

    def close(self) -> None:
        """Let the device go."""


@runtime_checkable
class Focusing(Protocol):
    """A camera whose lens can be told to focus anew."""

    def refocus(self) -> None:
        """Focus on what lies there now; waits until that is done, seconds at most."""


class CaptureSource(Protocol):
    """Anything that yields pages to grade: a watched camera, a folder, a scan."""

    def captures(self) -> Iterator[Capture]:
        """Pages as they come; ends when the source does."""

    def close(self) -> None:
        """Let the device go; a waiting `captures` ends."""
