"""The sticker on the box: address, QR code, fingerprints; as PDF or SVG by the name of the file."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import typst

from edge.access.certificate import grouped
from edge.access.places import Sign
from homework.errors import BadFileError, ClassboxError
from homework.sheets.fonts import find_fonts
from homework.sheets.symbols import code_svg


def write_sticker(path: Path, sign: Sign, words: Callable[[str], str]) -> None:
    """Write the sticker to `path`. Raises `ClassboxError`."""
    kind = path.suffix.lower()
    if kind not in (".pdf", ".svg"):
        raise BadFileError("{path} is neither a PDF nor an SVG.", remedy="Name it sticker.pdf.", path=path)
    fonts, families = find_fonts(None)
    data = {
        "title": words("Classbox: homework"),
        "url": sign.urls[0],
        "also": "  ".join(sign.urls[1:4]),
        "hint": words("Scan, compare the fingerprint, sign in."),
        "fingerprint": _said(sign.certificate.fingerprint if sign.certificate else ""),
        "key": _said(sign.certificate.key_fingerprint if sign.certificate else ""),
        "words": {
            "certificate": words("Fingerprint of the certificate (SHA-256)") if sign.certificate else "",
            "key": words("Fingerprint of the key, which stays") if sign.certificate else "",
        },
        "families": list(families),
        "code": code_svg(sign.urls[0])[0],
    }
    compiler = typst.Compiler(
        (files("edge.access") / "sticker.typ").read_bytes(),
        font_paths=fonts,
        ignore_system_fonts=True,
        sys_inputs={"data": json.dumps(data, ensure_ascii=False)},
    )
    try:
        made = compiler.compile(format="svg") if kind == ".svg" else compiler.compile(format="pdf", timestamp=0)
    except typst.TypstError as error:
        raise ClassboxError(
            "The sticker could not be set: {reason}.", remedy="Try .svg instead.", reason=error
        ) from error
    assert isinstance(made, bytes)
    try:
        path.write_bytes(made)
    except OSError as error:
        raise BadFileError(
            "{path} cannot be written: {reason}.",
            remedy="Choose a folder that you may write to.",
            path=path,
            reason=error.strerror,
        ) from error


def _said(fingerprint: str) -> str:
    return " ".join(grouped(fingerprint))
