"""Whatever a phone, a scanner or a joker calls a picture: opened upright and in its colours, or refused with words."""

import io
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pypdfium2
import pytest
from PIL import Image as Pillow
from PIL import TiffImagePlugin, features

from edge.decoding import MOST_PIXELS, decode
from edge.frames import Image
from edge.picture_files import PageFile, Stamp, captures_in, files_of, shown_name
from homework.errors import BadFileError

ORIENTATION = 0x0112


@pytest.fixture(scope="module")
def picture() -> Image:
    """Paper with one grey and one coloured corner, so that no turn and no swap of channels goes unseen; BGR."""
    image = np.full((240, 320, 3), 235, np.uint8)
    image[:60, :80] = (60, 60, 60)
    image[:60, -80:] = (40, 60, 200)
    image[-60:, :80] = (190, 120, 30)
    return image


def rgb(picture: Image) -> Pillow.Image:
    return Pillow.fromarray(np.ascontiguousarray(picture[..., ::-1]))


def saved(image: Pillow.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def one(data: bytes) -> Image:
    [found] = decode(data, name="x")
    assert found.dtype == np.uint8
    assert found.ndim == 3
    return found


def alike(found: Image, wanted: Image, *, within: float = 12.0) -> bool:
    """The same shape, and hardly any pixel further off than JPEG's ringing."""
    if found.shape != wanted.shape:
        return False
    off = np.abs(found.astype(int) - wanted.astype(int)).max(axis=2)
    return bool(np.quantile(off, 0.97) <= within)


def said(path: Path) -> str:
    """What is said of a file that cannot be taken."""
    with pytest.raises(BadFileError) as caught:
        list(captures_in(path))
    assert caught.value.remedy
    return caught.value.message


# --- colours and bits ---


@pytest.mark.parametrize(
    "kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", *(["AVIF"] if features.check("avif") else [])]
)
def test_every_format_shows_the_same_picture(kind: str, picture: Image) -> None:
    assert alike(one(saved(rgb(picture), kind)), picture)


def test_cmyk_as_printers_make_it_is_not_a_negative(picture: Image) -> None:
    """Adobe writes the inks inverted and says so with its marker; Pillow writes that."""
    data = saved(rgb(picture).convert("CMYK"), "JPEG", quality=95)
    assert b"Adobe" in data
    assert alike(one(data), picture)


def test_cmyk_whose_marker_says_ycck_is_read_too(picture: Image) -> None:
    """The inks but black stored as luminance and two colour differences (Adobe's transform 2), inverted as ever."""
    ycc = np.asarray(rgb(255 - picture).convert("YCbCr"))
    black = np.full(ycc.shape[:2], 255, np.uint8)  # no black ink, inverted
    raw = Pillow.merge("CMYK", [Pillow.fromarray(255 - plane) for plane in (*np.moveaxis(ycc, 2, 0), black)])
    data = saved(raw, "JPEG", quality=95)
    place = data.index(b"Adobe")
    ycck = data[: place + 11] + b"\x02" + data[place + 12 :]
    found = one(ycck)
    with Pillow.open(io.BytesIO(ycck)) as opened:
        assert (opened.mode, opened.info["adobe_transform"]) == ("CMYK", 2)
    assert alike(found, picture, within=16)


def test_sixteen_bits_keep_their_tones(picture: Image) -> None:
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    wanted = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)
    for name, pixels in {"colour": picture, "grey": grey}.items():
        deep = pixels.astype(np.uint16) * 257
        for suffix in (".png", ".tiff"):
            data = cv2.imencode(suffix, deep)[1].tobytes()
            assert alike(one(data), picture if name == "colour" else wanted, within=2), (name, suffix)


def test_what_is_transparent_is_paper(picture: Image) -> None:
    """Scanning apps cut the paper away: what is left of it has no colour, and must not become black."""
    paper = np.all(picture == 235, axis=2)
    wanted = np.where(paper[..., None], 255, picture).astype(np.uint8)
    layers = np.dstack([picture[..., ::-1] * ~paper[..., None], np.where(paper, 0, 255)]).astype(np.uint8)
    clear = Pillow.fromarray(layers)
    assert alike(one(saved(clear, "PNG")), wanted)
    assert alike(one(saved(clear, "WEBP", lossless=True)), wanted)
    greys = cv2.cvtColor(cv2.cvtColor(wanted, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    assert alike(one(saved(clear.convert("LA"), "PNG")), greys)
    palette = clear.quantize(16)
    assert alike(one(saved(palette, "PNG")), wanted, within=24)


def test_palettes_bits_and_greys_are_pictures(picture: Image) -> None:
    assert alike(one(saved(rgb(picture).quantize(32), "PNG")), picture)
    black = rgb(picture).convert("1", dither=Pillow.Dither.NONE)
    wanted = cv2.cvtColor(np.asarray(black.convert("L")), cv2.COLOR_GRAY2BGR)
    for data in (saved(black, "PNG"), saved(black, "TIFF", compression="group4")):
        assert alike(one(data), wanted)
    assert alike(
        one(saved(rgb(picture).convert("L"), "JPEG")),
        cv2.cvtColor(np.asarray(rgb(picture).convert("L")), cv2.COLOR_GRAY2BGR),
    )


# --- the way up ---


def stored(picture: Image, orientation: int) -> Image:
    """The pixels as a camera stores them that is held so: what each EXIF orientation must undo (JEITA CP-3451)."""
    return {
        1: picture,
        2: picture[:, ::-1],
        3: picture[::-1, ::-1],
        4: picture[::-1],
        5: picture.transpose(1, 0, 2),
        6: np.rot90(picture),
        7: picture[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(picture, -1),
    }[orientation]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_as_its_exif_says(kind: str, orientation: int, picture: Image) -> None:
    note = Pillow.Exif()
    note[ORIENTATION] = orientation
    data = saved(rgb(stored(picture, orientation)), kind, exif=note, **({"quality": 95} if kind != "PNG" else {}))
    assert alike(one(data), picture)


def test_a_cmyk_jpeg_is_turned_too(picture: Image) -> None:
    note = Pillow.Exif()
    note[ORIENTATION] = 6
    data = saved(rgb(stored(picture, 6)).convert("CMYK"), "JPEG", exif=note, quality=95)
    assert alike(one(data), picture)


# --- several in one file ---


def test_a_tiff_has_pages_but_not_its_small_copies(picture: Image) -> None:
    other = rgb(picture[::-1])
    small = rgb(picture).resize((32, 24))
    note = TiffImagePlugin.ImageFileDirectory_v2()
    note[254] = 1
    file = io.BytesIO()
    with TiffImagePlugin.AppendingTiffWriter(file, new=True) as pages:
        for image, about in ((rgb(picture), {}), (small, {"tiffinfo": note}), (other, {})):
            image.save(pages, "TIFF", **about)
            pages.newFrame()
    found = decode(file.getvalue(), name="x")
    assert [alike(a, b) for a, b in zip(found, (picture, picture[::-1]), strict=True)] == [True, True]


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_of_moving_pictures_the_first_one_counts(kind: str, picture: Image) -> None:
    moving = saved(rgb(picture), kind, save_all=True, append_images=[rgb(picture[::-1])], duration=100)
    with Pillow.open(io.BytesIO(moving)) as opened:
        assert getattr(opened, "n_frames", 1) == 2
    assert alike(one(moving), picture)


# --- too much ---


def png_of(width: int, height: int) -> bytes:
    """A PNG of white: a few kilobytes, however large."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    packer = zlib.compressobj(9)
    row = b"\x00" + b"\xff" * ((width + 7) // 8)
    rows = b"".join(packer.compress(row * 256) for _ in range(height // 256)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height // 256 * 256, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_more_than_120_million_pixels_are_refused_before_one_is_decoded(tmp_path: Path) -> None:
    bomb = png_of(60_000, 60_160)
    assert len(bomb) < 1_000_000
    (tmp_path / "bomb.png").write_bytes(bomb)
    assert "120 million pixels" in said(tmp_path / "bomb.png")
    jpeg = bytearray(saved(Pillow.new("L", (16, 16)), "JPEG"))
    frame = jpeg.index(b"\xff\xc0")
    jpeg[frame + 5 : frame + 9] = struct.pack(">HH", 65_000, 65_000)
    (tmp_path / "bomb.jpg").write_bytes(jpeg)
    assert "120 million pixels" in said(tmp_path / "bomb.jpg")
    webp = bytearray(saved(Pillow.new("RGB", (16, 16)), "WEBP", lossless=True))
    place = webp.index(b"VP8L") + 9
    webp[place : place + 4] = struct.pack("<I", 16_382 | 16_382 << 14)
    (tmp_path / "bomb.webp").write_bytes(webp)
    assert "120 million pixels" in said(tmp_path / "bomb.webp")
    tiff = saved(Pillow.new("1", (16, 16)), "TIFF")
    sides = [struct.pack("<HHII", tag, 4, 1, 16) for tag in (256, 257)]
    assert all(tiff.count(side) == 1 for side in sides)
    bombs = tiff
    for side in sides:
        bombs = bombs.replace(side, side[:8] + struct.pack("<I", 60_000))
    (tmp_path / "bomb.tif").write_bytes(bombs)
    assert "120 million pixels" in said(tmp_path / "bomb.tif")


def test_a_picture_just_under_the_limit_is_taken() -> None:
    width = 11_008
    height = MOST_PIXELS // width // 256 * 256
    found = one(png_of(width, height))
    assert found.shape == (height, width, 3)
    assert found.min() == 255


def test_archives_are_not_opened(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "pages.jpg", "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("page.png", bytes(50_000_000))
    assert "archive" in said(tmp_path / "pages.jpg")


# --- not a picture, or not whole ---


def test_heic_is_called_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "IMG_1.HEIC").write_bytes(struct.pack(">I4s4sI", 24, b"ftyp", b"heic", 0) + b"mif1heic" + bytes(100))
    with pytest.raises(BadFileError) as caught:
        list(captures_in(tmp_path / "IMG_1.HEIC"))
    assert "HEIC" in caught.value.message
    assert "Most Compatible" in caught.value.remedy


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP"])
def test_half_a_file_is_called_incomplete(kind: str, picture: Image, tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 255, picture.shape, np.uint8)
    data = saved(rgb(noise), kind)
    (tmp_path / "half").write_bytes(data[: len(data) // 2])
    assert any(word in said(tmp_path / "half") for word in ("incomplete", "not a picture"))


@pytest.mark.parametrize("seed", range(40))
def test_bytes_that_were_tampered_with_are_a_picture_or_an_error_of_ours(seed: int, picture: Image) -> None:
    rng = np.random.default_rng(seed)
    kind = ["JPEG", "PNG", "WEBP", "TIFF", "GIF"][seed % 5]
    data = bytearray(saved(rgb(picture), kind))
    for place in rng.integers(0, len(data), 12):
        data[place] = int(rng.integers(0, 256))
    try:
        assert all(found.ndim == 3 for found in decode(bytes(data), name="x"))
    except BadFileError as error:
        assert error.remedy  # noqa: PT017 - either is right


def test_an_empty_file_a_device_and_a_pipe_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    assert "is empty" in said(tmp_path / "a.jpg")
    assert "no file" in said(Path("/dev/zero"))
    os.mkfifo(tmp_path / "b.jpg")
    assert "no file" in said(tmp_path / "b.jpg")
    assert files_of_names(tmp_path) == ["a.jpg"]


# --- PDF ---


def pdf_of(*images: Image, dpi: float = 200, **options: Any) -> bytes:
    first, *others = [rgb(image) for image in images]
    return saved(first, "PDF", save_all=True, append_images=others, resolution=dpi, quality=95, **options)


def test_a_scan_finer_than_200_dpi_keeps_its_pixels_and_tells_places_at_200(tmp_path: Path, picture: Image) -> None:
    (tmp_path / "fine.pdf").write_bytes(pdf_of(picture, dpi=300))
    [capture] = captures_in(tmp_path / "fine.pdf")
    assert alike(capture.image, picture)
    assert capture.told_scale == pytest.approx(200 / 300, rel=0.005)


@pytest.mark.parametrize("dpi", [72, 100, 150, 200])
def test_a_coarser_scan_is_shown_at_200_dpi(dpi: int, tmp_path: Path, picture: Image) -> None:
    (tmp_path / "coarse.pdf").write_bytes(pdf_of(picture, dpi=dpi))
    [capture] = captures_in(tmp_path / "coarse.pdf")
    assert capture.told_scale == 1.0
    wanted = cv2.resize(picture, (capture.image.shape[1], capture.image.shape[0]))
    assert capture.image.shape[1] == pytest.approx(320 * 200 / dpi, abs=2)
    assert alike(capture.image, wanted, within=16)


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_page_is_turned_as_its_pdf_says(turn: int, tmp_path: Path, picture: Image) -> None:
    document = pypdfium2.PdfDocument(pdf_of(np.rot90(picture, turn // 90)))
    document[0].set_rotation(turn)
    document.save(tmp_path / "turned.pdf")
    document.close()
    [capture] = captures_in(tmp_path / "turned.pdf")
    assert alike(capture.image, picture, within=20)


def test_a_page_that_is_damaged_costs_itself_alone(tmp_path: Path, picture: Image) -> None:
    data = pdf_of(picture, picture, picture)
    assert data.count(b"\n3 0 obj<<") == 1  # the second page
    (tmp_path / "scan.pdf").write_bytes(data.replace(b"\n3 0 obj<<", b"\n3 0 obj<("))
    pages = captures_in(tmp_path / "scan.pdf")
    assert [next(pages).page_of_source, next(pages).page_of_source] == [1, 3]
    with pytest.raises(BadFileError, match=r"Page 2 of scan\.pdf is damaged"):
        next(pages)


def test_a_page_of_an_absurd_size_costs_itself_alone(tmp_path: Path, picture: Image) -> None:
    data = pdf_of(picture, picture)
    place = data.rindex(b"/MediaBox [ 0 0 ")
    end = data.index(b"]", place)
    absurd = b"/MediaBox[0 0 90000 90000".ljust(end - place)
    assert len(absurd) == end - place
    (tmp_path / "scan.pdf").write_bytes(data[:place] + absurd + data[end:])
    file = PageFile(tmp_path / "scan.pdf")
    assert file.pages == 2
    assert alike(file.capture(1).image, picture)
    with pytest.raises(BadFileError, match=r"Page 2 of scan\.pdf is too large"):
        file.capture(2)
    file.close()


def pdf_file(*objects: bytes) -> bytes:
    """A PDF of these objects, the first of them its catalogue."""
    body, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, start=1):
        places.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(objects) + 1
    tail = b"trailer\n<< /Root 1 0 R /Size %d >>\nstartxref\n%d\n%%%%EOF\n" % (size, len(body))
    return body + b"xref\n0 %d\n%s" % (size, table) + tail


def test_a_giant_picture_on_a_small_page_is_refused_unseen(tmp_path: Path) -> None:
    side = 20_480
    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(side // 8 * 256)) for _ in range(side // 256)) + packer.flush()
    assert len(rows) < 100_000
    image = b"<< /Type /XObject /Subtype /Image /Width %d /Height %d /BitsPerComponent 1 /ColorSpace /DeviceGray "
    image = image % (side, side) + b"/Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream" % (len(rows), rows)
    drawn = b"q 595 0 0 842 0 0 cm /I Do Q"
    (tmp_path / "scan.pdf").write_bytes(
        pdf_file(
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Count 1 /Kids [3 0 R] >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 5 0 R"
            b" /Resources << /XObject << /I 4 0 R >> >> >>",
            image,
            b"<< /Length %d >>\nstream\n%s\nendstream" % (len(drawn), drawn),
        )
    )
    assert "too large" in said(tmp_path / "scan.pdf")


def test_a_locked_pdf_is_told_from_a_broken_one(tmp_path: Path, picture: Image) -> None:
    lock = b"/Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O <%s> /U <%s> >> /ID [<00> <00>]" % (
        b"17" * 32,
        b"2a" * 32,
    )
    data = pdf_of(picture)
    place = data.rindex(b"/Root")
    (tmp_path / "locked.pdf").write_bytes(data[:place] + lock + b"\n" + data[place:])
    assert "password" in said(tmp_path / "locked.pdf")
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.7 nothing")
    assert "not a PDF" in said(tmp_path / "broken.pdf")
    (tmp_path / "words.pdf").write_text("not a scan", encoding="utf-8")
    assert "not a picture" in said(tmp_path / "words.pdf")


def test_ten_thousand_pages_are_opened_one_at_a_time(tmp_path: Path) -> None:
    document = pypdfium2.PdfDocument.new()
    for _ in range(10_000):
        document.new_page(595, 842)
    document.save(tmp_path / "long.pdf")
    document.close()
    file = PageFile(tmp_path / "long.pdf")
    assert file.pages == 10_000
    last = file.capture(10_000)
    assert (last.page_of_source, last.image.shape) == (10_000, (2339, 1653, 3))
    file.close()


# --- folders ---


def files_of_names(folder: Path) -> list[str]:
    return [str(file.relative_to(folder)) for file in files_of(folder)]


def test_a_folder_gives_its_pictures_in_order_and_nothing_twice(tmp_path: Path, picture: Image) -> None:
    (tmp_path / "b.jpg").mkdir()  # a folder that is called like a picture
    for name in ("c.png", "a.PNG", "b.jpg/z.png", ".hidden.png", "notes.txt"):
        (tmp_path / name).write_bytes(saved(rgb(picture), "PNG"))
    (tmp_path / "d.png").symlink_to(tmp_path / "c.png")
    (tmp_path / "round").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "e.png").symlink_to("nowhere.png")
    (tmp_path / "f.png").symlink_to("f.png")
    assert files_of_names(tmp_path) == ["a.PNG", "b.jpg/z.png", "c.png", "d.png", "e.png", "f.png"]
    assert len(list(captures_in(tmp_path / "d.png"))) == 1
    assert "link to a file that is not there" in said(tmp_path / "e.png")
    assert "cannot be read" in said(tmp_path / "f.png")


@contextmanager
def somebody_else() -> Iterator[None]:
    """Without the rights of root, where the tests have them."""
    mighty = os.geteuid() == 0
    if mighty:
        os.seteuid(65534)
    try:
        yield
    finally:
        if mighty:
            os.seteuid(0)


def test_what_may_not_be_read_is_said_and_not_passed_over(picture: Image) -> None:
    import tempfile

    with tempfile.TemporaryDirectory(dir="/tmp") as name:  # every folder on the way can be passed by everybody
        folder = Path(name)
        folder.chmod(0o755)
        for file in ("a.png", "b.png", "locked/c.png"):
            (folder / file).parent.mkdir(exist_ok=True)
            (folder / file).write_bytes(saved(rgb(picture), "PNG"))
        (folder / "a.png").chmod(0)
        (folder / "locked").chmod(0)
        try:
            with somebody_else():
                assert files_of_names(folder) == ["a.png", "b.png", "locked"]
                assert "Permission denied" in said(folder / "a.png")
                assert "cannot be looked into" in said(folder / "locked")
                assert len(list(captures_in(folder / "b.png"))) == 1
        finally:
            (folder / "locked").chmod(0o755)


def test_a_name_that_is_not_utf_8_is_a_name(tmp_path: Path, picture: Image) -> None:
    for suffix, data in {b".png": saved(rgb(picture), "PNG"), b".pdf": pdf_of(picture)}.items():
        path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xd7\xf7\xd2\xb5" + suffix))
        path.write_bytes(data)
        [capture] = captures_in(path)
        assert capture.source == shown_name(path)
        assert "\ufffd" in capture.source
        assert capture.source.encode().endswith(suffix)


@pytest.mark.parametrize("cut", [True, False])
@pytest.mark.parametrize("name", ["scan.pdf", "scan.tif", "scan.png"])
def test_a_file_that_changes_while_it_is_read_is_not_graded(
    name: str, cut: bool, tmp_path: Path, picture: Image
) -> None:
    path = tmp_path / name
    images = [rgb(picture), rgb(picture[::-1])]
    kinds = {"scan.pdf": "PDF", "scan.tif": "TIFF", "scan.png": "PNG"}
    several = {} if name == "scan.png" else {"save_all": True, "append_images": images[1:]}
    data = saved(images[0], kinds[name], **several)
    path.write_bytes(data)
    stamp = Stamp.of(path)
    file = PageFile(path, stamp)
    assert file.capture(1).image.shape[2] == 3
    path.write_bytes(data[: len(data) // 2] if cut else data + b"more")
    with pytest.raises(BadFileError, match="changed while it was read"):
        file.capture(file.pages)
    file.close()
    with pytest.raises(BadFileError, match="changed while it was read"):
        PageFile(path, stamp)
