"""`classbox camera lens`: learn how a camera's lens bends straight lines, once, from any printed sheet."""

from __future__ import annotations

import json
from pathlib import Path

import click
import cv2

from edge.camera.sources import open_camera
from edge.config import load_config
from edge.documents import Documents
from edge.frames import Capture
from edge.lenses import camera_name, keep_lens
from edge.picture_files import captures_in
from edge.registration.calibration import calibrate_lens
from edge.registration.register import register
from ui.language import terminal_language, translator


@click.command(
    name="lens",
    help="""Learn how the lens of the camera SOURCE bends straight lines, from sheets of ours that lie flat under it,
    and straighten what it sees from then on. The worksheets must have been loaded. Takes one picture, or uses
    PICTURE..., taken by this camera and unchanged: three or more are better than one. `--forget` undoes it.

    \b
    Examples:
      classbox camera lens v4l2:0
      classbox camera lens picamera2 one.jpg two.jpg three.jpg
    """,
)
@click.argument("source")
@click.argument("pictures", metavar="[PICTURE]...", nargs=-1, type=click.Path(path_type=Path))
@click.option("--config", type=click.Path(path_type=Path), help="The box's configuration (box.toml).")
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), help="The box's data folder.")
@click.option("--forget", is_flag=True, help="Take the lens as straight again.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def lens(
    source: str,
    pictures: tuple[Path, ...],
    config: Path | None,
    data: Path | None,
    *,
    forget: bool,
    as_json: bool,
) -> None:
    """Calibrate one camera."""
    cv2.setNumThreads(1)
    _ = translator(terminal_language()).gettext
    documents = Documents(load_config(config, data=data).data_dir)
    name = camera_name(source)
    if forget:
        keep_lens(documents, name, None)
        print(_("{camera}: its lens is taken as straight again.").format(camera=name))
        return
    captures = [capture for path in pictures for capture in captures_in(path)] or [_taken(source, name)]
    found = calibrate_lens([register(capture, documents.layout) for capture in captures])
    keep_lens(documents, name, found.lens)
    figures = {
        "camera": name,
        "pages": found.pages,
        "points": found.points,
        "k1": round(found.lens.k1, 5),
        "k2": round(found.lens.k2, 5),
        "before_mm": round(found.before_mm, 3),
        "after_mm": round(found.after_mm, 3),
    }
    if as_json:
        print(json.dumps(figures, ensure_ascii=False))
    else:
        print(_("{camera}: {points} points on {pages} pages").format(**figures))
        print(_("off by {before_mm} mm with a straight lens, by {after_mm} mm with this one; kept").format(**figures))


def _taken(source: str, name: str) -> Capture:
    camera = open_camera(source)
    try:
        return Capture(camera.capture().image, name)
    finally:
        camera.close()
