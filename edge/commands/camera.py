"""`classbox camera list|test|focus|lens`: which cameras there are, and what one of them sees."""

from __future__ import annotations

import importlib.util
import json
import time
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np

from edge.camera.camera import Camera
from edge.camera.sources import FORMS, open_camera
from edge.camera.watching import sharpness
from edge.commands.lens import lens
from edge.frames import Image
from edge.registration.code import find_codes
from edge.registration.markers import ENOUGH_MARKERS, Pyramid, find_markers
from edge.trigger import Event, Trigger
from homework.errors import ClassboxError
from ui.language import terminal_language, translator

_DEVICES = Path("/sys/class/video4linux")
_DARK, _BRIGHT = 70, 250
"""Grey of the paper: below is too dark to read pencil, above the sensor is at its limit."""


@click.group(
    name="camera",
    help="""See which cameras there are and what they see.

    \b
    Example:
      classbox camera test v4l2:0
    """,
)
def command() -> None:
    """Everything about cameras."""
    cv2.setNumThreads(1)


command.add_command(lens)


@command.command(
    name="list",
    help="""List the cameras of this machine, as the source names that `test` and box.toml take.

    \b
    Example:
      classbox camera list
    """,
)
@click.option("--json", "as_json", is_flag=True, help="One JSON list.")
def list_cameras(as_json: bool) -> None:
    """Every camera of this machine."""
    found = _found()
    if as_json:
        print(json.dumps(found, ensure_ascii=False))
        return
    _ = translator(terminal_language()).gettext
    for camera in found:
        print(f"{camera['source']}\t{camera['name']}")
    if not found:
        print(_("No camera is connected. Pages can also come from: {forms}.").format(forms=FORMS))


@command.command(
    name="test",
    help="""Take one picture from SOURCE and say how good it is: size, frame rate, light, sharpness, and whether a
    sheet is found. Waits for a sheet to rest, `--wait` seconds at most.

    \b
    Example:
      classbox camera test v4l2:0 --save seen.jpg
    """,
)
@click.argument("source")
@click.option("--wait", "wait_s", default=5.0, show_default=True, help="Seconds to wait for a sheet.")
@click.option("--save", type=click.Path(path_type=Path, dir_okay=False), help="Write the picture here.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def test(source: str, wait_s: float, save: Path | None, as_json: bool) -> None:
    """What one camera sees."""
    camera = open_camera(source)
    try:
        image, figures = _try_out(camera, wait_s)
    finally:
        camera.close()
    if save is not None:
        suffix = save.suffix or ".jpg"
        try:
            fine, data = cv2.imencode(suffix, image)
            if fine:
                save.write_bytes(data.tobytes())
        except (cv2.error, OSError) as error:
            raise ClassboxError(
                "{name} cannot be written.", remedy="Name a .jpg or .png file in a folder that exists.", name=save
            ) from error
    if as_json:
        print(json.dumps(figures, ensure_ascii=False))
    else:
        _say(figures)


@command.command(
    name="focus",
    help="""Print how sharp SOURCE is, again and again, while the lens is turned. Lay a sheet under it; higher is
    sharper. Ends with Ctrl-C or after `--times`.

    \b
    Example:
      classbox camera focus picamera2
    """,
)
@click.argument("source")
@click.option("--times", default=0, help="How often; 0 for ever.")
def focus(source: str, times: int) -> None:
    """How sharp it is, live."""
    camera = open_camera(source)
    best, done = 0.0, 0
    try:
        while times == 0 or done < times:
            if camera.preview() is None:
                break
            now = sharpness(camera.capture().image)
            best, done = max(best, now), done + 1
            print(f"{now:6.3f}  {'#' * round(40 * now / max(best, 1e-6))}", flush=True)
    except KeyboardInterrupt:
        pass
    finally:
        camera.close()


def _found() -> list[dict[str, str]]:
    found = []
    for device in sorted(_DEVICES.glob("video*")) if _DEVICES.is_dir() else ():
        try:
            name = (device / "name").read_text(encoding="utf-8").strip()
            # One camera shows several nodes: index 0 is the one that gives pictures.
            main = (device / "index").read_text(encoding="utf-8").strip() == "0"
        except OSError:
            continue
        if main:
            found.append({"source": f"v4l2:{device.name.removeprefix('video')}", "name": name})
    if importlib.util.find_spec("picamera2") is not None:
        found.append({"source": "picamera2", "name": "Raspberry Pi camera (picamera2)"})
    return found


def _try_out(camera: Camera, wait_s: float) -> tuple[Image, dict[str, Any]]:
    trigger, frames, started = Trigger(), 0, time.monotonic()
    rested = False
    while not rested and time.monotonic() - started < wait_s:
        frame = camera.preview()
        if frame is None:
            break
        frames += 1
        rested = trigger.see(frame) is Event.RESTED
    seconds = time.monotonic() - started
    image = camera.capture().image
    pyramid = Pyramid(image)
    markers, codes = find_markers(pyramid), find_codes(pyramid)
    return image, {
        "camera": camera.name,
        "width_px": image.shape[1],
        "height_px": image.shape[0],
        "frames_per_s": round(frames / max(seconds, 1e-3), 1),
        "light": round(float(np.percentile(image[::8, ::8], 95))),
        "sharpness": round(sharpness(image), 3),
        "rested": rested,
        "markers": len(markers),
        "sheet": codes[0].code.sheet if codes else None,
        "page": codes[0].code.page if codes else None,
    }


def _say(figures: dict[str, Any]) -> None:
    _ = translator(terminal_language()).gettext
    print(
        _("{camera}: {width_px} × {height_px} pixels, {frames_per_s} previews a second").format(**figures),
        _("light {light} of 255, sharpness {sharpness}").format(**figures),
        sep="\n",
    )
    if figures["light"] < _DARK:
        print(_("It is dark: put a lamp beside the camera."))
    elif figures["light"] > _BRIGHT:
        print(_("It is too bright: pencil may vanish. Turn the lamp away."))
    if figures["markers"] >= ENOUGH_MARKERS and figures["sheet"] is not None:
        print(_("A sheet is found: {sheet}, page {page}.").format(**figures))
    elif figures["markers"] or figures["sheet"] is not None:
        print(_("A part of a sheet is seen: move it until all four corners are in the picture."))
    else:
        print(_("No sheet is found: lay a printed worksheet flat under the camera."))
