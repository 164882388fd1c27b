"""`classbox camera list|test|focus|lens`: which cameras there are, and what one of them sees."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import cv2

from edge.camera.camera import Camera
from edge.camera.meter import Meter, meter
from edge.camera.picamera import pi_cameras
from edge.camera.sources import FORMS, open_camera
from edge.commands.lens import lens
from edge.frames import Image
from edge.registration.markers import ENOUGH_MARKERS
from edge.trigger import Event, Trigger
from homework.errors import ClassboxError
from ui.language import terminal_language, translator

_DEVICES = Path("/sys/class/video4linux")
_NO_CAMERAS = ("bcm2835", "unicam", "rp1-cfe", "pispbe", "rpi-", "rpivid")
"""Video devices of the Raspberry Pi's own that give no pictures to whoever opens them: its camera is picamera2's."""
_BAR = 30
_SLOW = 8
"""Previews a second below which a sheet a second may be missed."""


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
    help="""Take one picture from SOURCE and say how good it is: size, frame rate, light, sharpness, whether a
    sheet is found and how it lies, and what to change. Waits for a sheet to rest, `--wait` seconds at most.

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
    help="""Say how well SOURCE is set up, again and again, while lens, lamp and arm are moved. Lay a printed worksheet
    under it. Each line: sharpness, the best so far and a bar of it, light, pixels a millimetre, slant, and what to
    change first. Ends with Ctrl-C or after `--times`.

    \b
    Example:
      classbox camera focus picamera2
    """,
)
@click.argument("source")
@click.option("--times", default=0, help="How often; 0 for ever.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def focus(source: str, times: int, as_json: bool) -> None:
    """How well it is set up, live."""
    camera = open_camera(source)
    best, done = 0.0, 0
    try:
        while times == 0 or done < times:
            if camera.preview() is None:
                break
            now = meter(camera.capture().image)
            best, done = max(best, now.sharpness), done + 1
            figures = {**asdict(now), "best": best, "advice": list(now.advice())}
            print(json.dumps(figures, ensure_ascii=False) if as_json else _focus_line(now, best), flush=True)
    except KeyboardInterrupt:
        pass
    finally:
        camera.close()


def _focus_line(now: Meter, best: float) -> str:
    """Figures first, so that they stay in their columns; what to change first at the end."""
    _ = translator(terminal_language()).gettext
    bar = "#" * round(_BAR * now.sharpness / max(best, 1e-6))
    measured = f"{now.px_per_mm:4.1f} px/mm  × {now.slant:4.2f}" if now.px_per_mm else " " * 18
    line = _("{now:6.3f}  best {best:5.3f}  {bar}  light {light:3d}  {measured}").format(
        now=now.sharpness, best=best, bar=bar.ljust(_BAR, "."), light=now.light, measured=measured
    )
    return f"{line}  {next((_(advice) for advice in now.advice()), '✓')}"


def _found() -> list[dict[str, str]]:
    found = []
    for device in sorted(_DEVICES.glob("video*")) if _DEVICES.is_dir() else ():
        try:
            name = (device / "name").read_text(encoding="utf-8").strip()
            # One camera shows several nodes: index 0 is the one that gives pictures.
            main = (device / "index").read_text(encoding="utf-8").strip() == "0"
        except OSError:
            continue
        if main and not name.lower().startswith(_NO_CAMERAS):
            found.append({"source": f"v4l2:{device.name.removeprefix('video')}", "name": name})
    for number, model in pi_cameras():
        found.append({"source": f"picamera2:{number}" if number else "picamera2", "name": f"Raspberry Pi {model}"})
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
    seen = meter(image)
    return image, {
        "camera": camera.name,
        "width_px": image.shape[1],
        "height_px": image.shape[0],
        "frames_per_s": round(frames / max(seconds, 1e-3), 1),
        "rested": rested,
        **asdict(seen),
        "advice": list(seen.advice()),
    }


def _say(figures: dict[str, Any]) -> None:
    _ = translator(terminal_language()).gettext
    print(
        _("{camera}: {width_px} × {height_px} pixels, {frames_per_s} previews a second").format(**figures),
        _("light {light} of 255, sharpness {sharpness}").format(**figures),
        sep="\n",
    )
    if figures["frames_per_s"] < _SLOW and figures["rested"]:
        print(_("The previews come slowly: take a smaller size, or slide more slowly."))
    if figures["markers"] >= ENOUGH_MARKERS and figures["sheet"] is not None:
        print(_("A sheet is found: {sheet}, page {page}.").format(**figures))
        print(_("{px_per_mm} pixels a millimetre, slant {slant}, evenness of the light {evenness}").format(**figures))
    for advice in figures["advice"]:
        print(_(advice))
