"""`classbox import-omrchecker`: the answer cards that a school already has, from their OMRChecker template."""

from __future__ import annotations

from pathlib import Path

import click
import cv2
import msgspec

from edge.frames import Image
from edge.named_files import read_named
from edge.omrchecker import Card, all_bubbles, parse_template, picture_name
from edge.picture_files import decode
from edge.registration.markers import grey_of
from homework.errors import ClassboxError, UsageError
from homework.layout import layout_to_json
from ui.language import terminal_language, translator

_FOUND_BY = {
    "page-edge": "The cards are found by the edge of their paper and by their bubbles.",
    "marker-image": "The cards are found by their four markers and by their bubbles.",
    "print": "The cards are found by what is printed on them.",
}


@click.command(
    name="import-omrchecker",
    help="""Make a layout of the answer cards of an OMRChecker TEMPLATE (template.json), so that they can be graded
    here. Each output column becomes an item; several fields that customLabels join are one. The picture of a marker,
    or of the empty card, that the template names is kept beside the layout.

    \b
    Examples:
      classbox import-omrchecker cards/template.json -o cards/layout.json
      classbox import-omrchecker template.json -o layout.json --seat Roll --several q7
    """,
)
@click.argument("template", metavar="TEMPLATE", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path, dir_okay=False), help="The layout.")
@click.option("--seat", metavar="COLUMN", help="The column of digits that is the pupil's seat number.")
@click.option("--several", metavar="COLUMN", multiple=True, help="A column in which several bubbles may be marked.")
def command(template: Path, output: Path, seat: str | None, several: tuple[str, ...]) -> None:
    """Import one template."""
    _ = translator(terminal_language()).gettext
    card = parse_template(read_named(template), several=several, seat=seat)
    layout, picture = card.layout, None
    if card.picture is not None:
        picture = _picture_of(card, template.parent / card.picture)
        layout = msgspec.structs.replace(layout, reference=picture_name(output, layout.register))
    if output.resolve() == template.resolve():
        raise UsageError("The layout would replace the template.", remedy="Choose another name with -o.")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        if picture is not None and layout.reference is not None:
            (output.parent / layout.reference).write_bytes(_png(picture))
        output.write_text(layout_to_json(layout), encoding="utf-8")
    except OSError as error:
        raise ClassboxError(
            "{path} cannot be written: {reason}.",
            remedy="Choose another place with -o.",
            path=output,
            reason=error.strerror or error,
        ) from error
    page = layout.pages[0]
    print(
        _("Imported: {columns} columns, {bubbles} bubbles: {path}.").format(
            columns=len(card.columns), bubbles=len(all_bubbles(page)), path=output
        )
    )
    print(_(_FOUND_BY[layout.register]))
    if card.passed_over:
        print(_("Not needed here: {names}.").format(names=", ".join(dict.fromkeys(card.passed_over))))
    if card.turns_alike:
        print(
            _(
                "The bubbles lie the same when the card is upside down: where the edge of the paper cannot tell, "
                "a picture is sent back."
            )
        )


def _picture_of(card: Card, path: Path) -> Image:
    """The marker as it is; the empty card in the shape of the page, which it fills. Raises `BadFileError`."""
    image = grey_of(decode(read_named(path), name=path.name)[0])
    if card.layout.register == "marker-image":
        return image
    width_mm, height_mm = card.layout.page_mm
    height = max(image.shape[0], round(image.shape[1] * height_mm / width_mm))
    size = (round(height * width_mm / height_mm), height)
    return grey_of(cv2.resize(image, size, interpolation=cv2.INTER_CUBIC).astype("uint8", copy=False))


def _png(image: Image) -> bytes:
    made, data = cv2.imencode(".png", image)
    assert made
    return data.tobytes()
