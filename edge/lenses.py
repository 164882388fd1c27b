"""The lenses that were calibrated on this box, kept among its settings by the camera's name."""

from __future__ import annotations

import msgspec

from edge.documents import Documents
from edge.registration.lens import Lens
from homework.errors import UsageError

_SETTING = "lens "


def camera_name(source: str) -> str:
    """What the captures of a camera, written as in box.toml, name as their source. Raises `UsageError` for others."""
    kind, _, rest = source.partition(":")
    which = rest.partition("?")[0]
    if kind.partition("?")[0] == "picamera2":
        return "picamera2"
    if kind == "simulated":
        return kind
    if kind == "v4l2" and which.isdecimal():
        return f"/dev/video{int(which)}"
    raise UsageError(
        "`{source}` is not a camera whose lens can be learned.",
        remedy="Name a camera that is always the same one: v4l2:0 or picamera2.",
        source=source,
    )


def lens_of(documents: Documents, camera: str) -> Lens | None:
    """The lens of a camera (the source that its captures name), or None."""
    kept = documents.setting(_SETTING + camera)
    if not kept:
        return None
    try:
        return msgspec.json.decode(kept, type=Lens)
    except (msgspec.ValidationError, msgspec.DecodeError):
        return None


def keep_lens(documents: Documents, camera: str, lens: Lens | None) -> None:
    """Remember a camera's lens; None forgets it. Raises `DocumentsError` when it cannot be written."""
    documents.put_setting(_SETTING + camera, "" if lens is None else msgspec.json.encode(lens).decode())
