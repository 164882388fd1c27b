"""Our recognisers beside Tesseract and RapidOCR: the same crops of pages that real hands filled in.

Every answer counts (forced choice: nobody may ask). The peers are told what may stand there: Tesseract by its
whitelist, and of what either says only signs of that kind are kept. None of them was made for children's handwriting.
"""

from __future__ import annotations

import argparse
import json
import sys
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks._peers import NotInstalledError, Said, find_tesseract, python_with, read_elsewhere
from benchmarks.hands import all_pages
from edge.frames import Image
from models.evaluation.crops import PageCrop
from models.evaluation.figures import wilson

RAPIDOCR = "rapidocr-onnxruntime==1.4.4"


@dataclass(frozen=True)
class Group:
    """Crops that are asked about together: `forms` of `kind`, which hold nothing but `signs`."""

    name: str
    kind: str
    forms: tuple[str, ...]
    signs: str


GROUPS = (
    Group("integers", "number", ("integer",), "0123456789"),
    Group("other numbers", "number", ("decimal", "negative", "percent", "a/b in line"), "0123456789.-/%"),
    Group("parts of fractions", "number", ("part",), "0123456789"),
    Group("seat digits", "digit", ("seat",), "0123456789"),
    Group("letters A-D", "letter", ("letter",), "ABCD"),
    Group("> < =", "compare", ("compare",), "><="),
)  # fmt: skip
"""Without √ and ×, units and remainders, which a peer cannot be expected to know."""

Reader = Callable[[Sequence[Image], Group, Path], Said]


def kept(text: str, signs: str) -> str:
    """What is left of a reading in any font, width and case, of the signs that may stand there."""
    folded = unicodedata.normalize("NFKC", text).upper()
    for dash in "\u2010\u2011\u2012\u2013\u2014\u2212\u4e00_~":
        folded = folded.replace(dash, "-")
    return "".join(sign for sign in folded if sign in signs)


def rows_of(readers: dict[str, Reader | str], crops: Sequence[PageCrop], folder: Path) -> list[dict[str, Any]]:
    """A row a reader and group; a reader that is only a word is not here, and the word says why."""
    rows = []
    for name, reader in readers.items():
        if isinstance(reader, str):
            rows.append({"name": name, "what": "all", "n": 0, "note": reader})
            continue
        for n, group in enumerate(GROUPS):
            some = [one for one in crops if one.kind == group.kind and one.form in group.forms]
            if not some:
                continue
            place = folder / f"{name} {n}"
            place.mkdir()
            try:
                said = reader([one.crop for one in some], group, place)
            except NotInstalledError as error:
                rows.append({"name": name, "what": group.name, "n": len(some), "note": str(error)})
                continue
            exact = sum(kept(text, group.signs) == one.text for text, one in zip(said.texts, some, strict=True))
            rows.append(
                {
                    "name": name,
                    "what": group.name,
                    "n": len(some),
                    "exact": round(exact / len(some), 5),
                    "exact_95": [round(bound, 5) for bound in wilson(exact, len(some))],
                    "cpu_ms_crop": round(said.cpu_ms, 2),
                    "peak_mb": round(said.peak_mb),
                }
            )
    return rows


def readers_in(folder: Path) -> tuple[dict[str, Reader | str], dict[str, str]]:
    """Ours and the peers, got for this run where they are missing; and where each comes from."""

    def elsewhere(python: Path, worker: str, crops: Sequence[Image], group: Group, place: Path) -> Said:
        return read_elsewhere(python, worker, crops, group.kind, place)

    readers: dict[str, Reader | str] = {"classbox": partial(elsewhere, Path(sys.executable), "_peer_ours.py")}
    origins = {"classbox": "this checkout"}
    try:
        (folder / "tesseract").mkdir()
        tesseract = find_tesseract(folder / "tesseract")
        readers["tesseract"] = lambda crops, group, place: tesseract.read(crops, group.signs, place)
        origins["tesseract"] = tesseract.origin
    except NotInstalledError as error:
        readers["tesseract"] = f"not measured: {error}"
    try:
        python = python_with(RAPIDOCR, folder / "rapidocr")
        readers["rapidocr"] = partial(elsewhere, python, "_peer_rapidocr.py")
        origins["rapidocr"] = f"{RAPIDOCR} in an environment made for this run"
    except NotInstalledError as error:
        readers["rapidocr"] = f"not measured: {error}"
    return readers, origins


def main() -> int:
    """Fill pages in, let everybody read them, and print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with the handwriting")
    parser.add_argument("--pages", type=int, default=80)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="12 pages")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    count = 12 if options.quick else options.pages
    crops = [
        crop for page in all_pages(options.data, "check", options.seed, count, options.workers) for crop in page.crops
    ]
    with TemporaryDirectory() as temporary:
        readers, origins = readers_in(Path(temporary))
        rows = rows_of(readers, crops, Path(temporary))
    if options.json:
        print(json.dumps({"pages": count, "from": origins, "rows": rows}, ensure_ascii=False))
        return 0
    for row in rows:
        if "exact" in row:
            low, high = row["exact_95"]
            print(
                f"{row['name']:10} {row['what']:36} n {row['n']:5}  exact {row['exact']:.1%} ({low:.1%}-{high:.1%})"
                f"  {row['cpu_ms_crop']} ms CPU a crop, {row['peak_mb']} MB"
            )
        else:
            print(f"{row['name']:10} {row['what']:36} {row['note']}")
    for name, origin in origins.items():
        print(f"{name}: {origin}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
