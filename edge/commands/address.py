"""`classbox address`: where the box is found, and how to know that it is this box."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from edge.config import load_config


@click.command(
    name="address",
    help="""Say where this box is found on the network, with its fingerprint and a QR code; write its sticker.

    \b
    Examples:
      classbox address --config box.toml
      classbox address --config box.toml --sticker sticker.pdf
    """,
)
@click.option("--config", type=click.Path(path_type=Path), help="The box's configuration (box.toml).")
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), help="The box's data folder.")
@click.option("--sticker", type=click.Path(path_type=Path, dir_okay=False), help="Write a sticker to this PDF or SVG.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for machines.")
def command(config: Path | None, data: Path | None, sticker: Path | None, *, as_json: bool) -> None:
    """Print the sign, or write it."""
    from edge.access.certificate import grouped  # noqa: PLC0415 - `--help` stays quick
    from edge.access.door import sign_of  # noqa: PLC0415
    from edge.access.sticker import write_sticker  # noqa: PLC0415
    from homework.errors import UsageError  # noqa: PLC0415
    from ui.language import terminal_language, translator  # noqa: PLC0415

    _ = translator(terminal_language()).gettext
    sign = sign_of(load_config(config, data=data))
    if not sign.urls:
        raise UsageError(
            "This box is in no network yet.", remedy="Plug a network cable in, or join a wireless network."
        )
    if sticker is not None:
        write_sticker(sticker, sign, _)
        print(_("Sticker written to {path}.").format(path=sticker))
        return
    certificate = sign.certificate
    if as_json:
        found = {
            "urls": sign.urls,
            "certificate_sha256": certificate.fingerprint if certificate is not None else None,
            "key_sha256": certificate.key_fingerprint if certificate is not None else None,
        }
        print(msgspec.json.encode(found).decode())
        return
    print(_terminal_code(sign.urls[0]))
    for url in sign.urls:
        print(url)
    if certificate is not None:
        print(_("Fingerprint of the certificate (SHA-256)"))
        print("  " + " ".join(grouped(certificate.fingerprint)))
        print(_("Fingerprint of the key, which stays"))
        print("  " + " ".join(grouped(certificate.key_fingerprint)))


def _terminal_code(text: str) -> str:
    """A QR code in half blocks: dark on light, whatever the terminal's colours, with its quiet zone."""
    import numpy as np  # noqa: PLC0415
    import zxingcpp  # noqa: PLC0415

    symbol = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.QRCode, ec_level="M")
    black = np.pad(np.array(symbol.to_image(scale=1, add_quiet_zones=False)) < 128, 2)
    if black.shape[0] % 2:
        black = np.pad(black, ((0, 1), (0, 0)))
    signs = np.array([[" ", "▄"], ["▀", "█"]])
    rows = signs[black[::2].astype(int), black[1::2].astype(int)]
    return "\n".join("\x1b[30;107m" + "".join(row) + "\x1b[0m" for row in rows)
