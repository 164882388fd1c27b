"""Where pages come from, named in one line: `simulated:…`, `folder:…`, `video:…`, `v4l2:0`, `picamera2`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

from edge.camera.camera import Camera, CaptureSource
from edge.camera.watching import WatchedCamera
from edge.frames import Image
from homework.errors import UsageError

FORMS = "folder:DIR, video:FILE, v4l2:0, picamera2 or simulated:DIR"


def open_source(
    spec: str,
    on_alive: Callable[[], None] | None = None,
    on_look: Callable[[Image | None], None] = lambda _image: None,
) -> CaptureSource:
    """The source that `spec` names. `on_alive` hears once that good pictures come from it, `on_look` of every look.

    - `folder:DIR`: files that a scanner or phone drops there
    - `video:FILE`: a film of sheets under a camera
    - `v4l2:0`: a USB camera; `v4l2:0?size=3840x2880`
    - `picamera2`: the Raspberry Pi's, in its full size; `picamera2:1` the second; `picamera2?size=2028x1520`
    - `simulated:DIR?roster=R.csv&pace=1.3&seed=7&class=45&truth=T.jsonl`: a virtual class with what `classbox print`
      wrote to DIR; `class` is its name, or how many of its pupils. `size`, `patient=1` and `tidy=1` too.

    Values may be percent-encoded. Raises `UsageError` for another form, `CameraError` or `BadFileError` when what
    it names is not there.
    """
    kind, place, options = _parts(spec)
    if kind == "folder":
        from edge.camera.folder import WatchedFolder  # noqa: PLC0415  # a box loads only the driver that it has

        _only(options)
        folder = WatchedFolder(Path(place), on_look=on_look)
        if on_alive is not None:
            on_alive()
        return folder
    # A film is allowed to stand still.
    return WatchedCamera(
        open_camera(spec), alarm_ms=None if kind == "video" else 3000, on_alive=on_alive, on_look=on_look
    )


def open_camera(spec: str) -> Camera:
    """The camera that `spec` names (see `open_source`); a folder is none and raises `UsageError`."""
    # Drivers are imported here: a box loads only the one that it has.
    kind, place, options = _parts(spec)
    if kind == "video":
        from edge.camera.video import VideoFile  # noqa: PLC0415

        _only(options)
        return VideoFile(Path(place))
    if kind == "v4l2":
        from edge.camera.usb import USUAL_SIZE, UsbCamera  # noqa: PLC0415

        _only(options, "size")
        return UsbCamera(_whole("camera number", place or "0"), size=_size(options, USUAL_SIZE))
    if kind == "picamera2":
        from edge.camera.picamera import PiCamera  # noqa: PLC0415

        _only(options, "size")
        return PiCamera(
            _whole("camera number", place or "0"), size=_size(options, (0, 0)) if "size" in options else None
        )
    if kind == "simulated":
        return _simulated(place, options)
    raise UsageError("`{spec}` is not a camera.", remedy="Write {forms}.", spec=spec, forms=FORMS)


def _simulated(place: str, options: dict[str, str]) -> Camera:
    from edge.camera.simulated import simulated_camera  # noqa: PLC0415

    _only(options, "roster", "pace", "seed", "class", "truth", "size", "patient", "tidy")
    who = options.get("class", "")
    return simulated_camera(
        Path(place),
        roster=Path(options["roster"]) if "roster" in options else None,
        class_name=None if who.isdecimal() or not who else who,
        pupils=int(who) if who.isdecimal() else None,
        pace_s=_positive("pace", options.get("pace", "1.3")),
        seed=_whole("seed", options.get("seed", "7")),
        patient=options.get("patient", "0") == "1",
        tidy=options.get("tidy", "0") == "1",
        truth=Path(options["truth"]) if "truth" in options else None,
        frame_px=_size(options, (4056, 3040)),
    )


def _parts(spec: str) -> tuple[str, str, dict[str, str]]:
    place, _, query = spec.partition("?")
    kind, _, where = place.partition(":")
    options: dict[str, str] = {}
    for pair in query.split("&") if query else ():
        key, equals, value = pair.partition("=")
        if not equals:
            raise UsageError(
                "`{pair}` in the camera's source has no value.", remedy="Write it as name=value.", pair=pair
            )
        options[key] = unquote(value)
    return kind, unquote(where), options


def _only(options: dict[str, str], *known: str) -> None:
    for key in options:
        if key not in known:
            raise UsageError(
                "A camera of this kind has no option `{name}`.",
                remedy="Known: {known}.",
                name=key,
                known=", ".join(known) or "-",
            )


def _size(options: dict[str, str], usual: tuple[int, int]) -> tuple[int, int]:
    if "size" not in options:
        return usual
    wide, _, high = options["size"].partition("x")
    return _whole("size", wide), _whole("size", high)


def _whole(what: str, text: str) -> int:
    if not text.isdecimal() or len(text) > 9:
        raise UsageError("`{text}` is no {what}.", remedy="Give a whole number.", text=text, what=what)
    return int(text)


def _positive(what: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.1 <= value <= 600:
        raise UsageError(
            "`{text}` is no {what}.", remedy="Give a number of seconds, such as 1.3.", text=text, what=what
        )
    return value
