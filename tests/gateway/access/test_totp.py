"""The second factor as numbers: what is a right code, and what was one."""

import re
import xml.etree.ElementTree as ET
from urllib.parse import parse_qs, unquote, urlsplit

import pyotp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.access.totp import (
    enrolment_address,
    matched_step,
    new_recovery_codes,
    new_secret,
    qr_picture,
    recovery_digest,
    spelled,
)

RFC_SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
"""`12345678901234567890` of RFC 6238, appendix B, as base32; its codes there have eight digits, we use the last six."""
NOW_S = 1_796_000_000.0


@pytest.mark.parametrize(
    ("at_s", "code"),
    [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (2000000000, "279037"), (20000000000, "353130")],
)
def test_the_codes_are_those_of_the_standard(at_s: int, code: str) -> None:
    assert matched_step(RFC_SECRET, code, now_s=at_s, last_step=None) == at_s // 30


def test_a_code_is_good_once() -> None:
    code = pyotp.TOTP(RFC_SECRET).at(NOW_S)
    step = matched_step(RFC_SECRET, code, now_s=NOW_S, last_step=None)
    assert step is not None
    assert matched_step(RFC_SECRET, code, now_s=NOW_S, last_step=step) is None
    assert matched_step(RFC_SECRET, code, now_s=NOW_S + 30, last_step=step) is None


def test_an_older_code_is_not_good_after_a_newer_one() -> None:
    before, now = (pyotp.TOTP(RFC_SECRET).at(NOW_S + 30 * offset) for offset in (-1, 0))
    step = matched_step(RFC_SECRET, now, now_s=NOW_S, last_step=None)
    assert matched_step(RFC_SECRET, before, now_s=NOW_S, last_step=step) is None


@given(st.integers(-10, 10))
def test_a_phone_may_be_half_a_minute_off_and_no_more(offset: int) -> None:
    code = pyotp.TOTP(RFC_SECRET).at(NOW_S + 30 * offset)
    step = matched_step(RFC_SECRET, code, now_s=NOW_S, last_step=None)
    assert (step is not None) == (abs(offset) <= 1)


@pytest.mark.parametrize("typed", ["081 804", "０８１８０４", " 081-804 ", "081804\n"])
def test_a_code_may_be_typed_as_people_type(typed: str) -> None:
    assert matched_step(RFC_SECRET, typed, now_s=1111111109, last_step=None) is not None


@given(st.text(max_size=300))
def test_whatever_is_typed_instead_of_a_code_is_wrong_and_no_more(typed: str) -> None:
    assert matched_step(RFC_SECRET, "x" + typed, now_s=NOW_S, last_step=None) is None
    recovery_digest(typed)


def test_another_secret_has_other_codes() -> None:
    assert new_secret() != new_secret()
    assert matched_step(new_secret(), pyotp.TOTP(RFC_SECRET).at(NOW_S), now_s=NOW_S, last_step=None) is None


def test_the_address_of_an_enrolment_names_the_place_and_the_person() -> None:
    address = urlsplit(enrolment_address(RFC_SECRET, login="王老师", title="第一区: 作业"))
    assert (address.scheme, address.netloc) == ("otpauth", "totp")
    assert unquote(address.path) == "/第一区  作业:王老师"
    assert parse_qs(address.query) == {"secret": [RFC_SECRET], "issuer": ["第一区  作业"]}


def test_the_picture_holds_the_address() -> None:
    import cv2
    import numpy as np

    address = enrolment_address(RFC_SECRET, login="admin", title="Classbox")
    kind, _comma, quoted = qr_picture(address).partition(",")
    assert kind.startswith("data:image/svg+xml")
    svg = unquote(quoted)
    root = ET.fromstring(svg)
    side = int(root.attrib["viewBox"].split()[2])
    modules = np.full((side, side), 255, np.uint8)
    # segno draws rows of dark modules: an absolute move, then lines to the right and moves.
    x = y = 0.0
    strokes = next(path for path in root if "stroke" in path.attrib).attrib["d"]
    for command, numbers in re.findall(r"([Mmh])([-\d. ]+)", strokes):
        values = [float(n) for n in re.findall(r"-?[\d.]+", numbers)]
        if command == "M":
            x, y = values
        elif command == "m":
            x, y = x + values[0], y + values[1]
        else:
            modules[int(y), int(x) : int(x + values[0])] = 0
            x += values[0]
    picture = cv2.resize(modules, None, fx=6, fy=6, interpolation=cv2.INTER_NEAREST)
    text, _corners, _straight = cv2.QRCodeDetector().detectAndDecode(picture)
    assert text == address


def test_a_secret_is_spelled_in_fours() -> None:
    assert spelled(RFC_SECRET).replace(" ", "") == RFC_SECRET
    assert {len(part) for part in spelled(RFC_SECRET).split()} == {4}


def test_recovery_codes_are_all_different_and_kept_as_digests_only() -> None:
    codes = new_recovery_codes()
    digests = {recovery_digest(code) for code in codes}
    assert len(digests) == len(codes) == 10
    assert None not in digests
    assert all(len(digest or b"") == 32 for digest in digests)


def test_a_recovery_code_may_be_typed_as_it_is_read() -> None:
    code = "ABOI-B234-WXYZ-7777"
    for typed in ("aboi b234 wxyz 7777", "AB018234WXYZ7777", "ａｂｏｉ－ｂ２３４－ｗｘｙｚ－７７７７"):
        assert recovery_digest(typed) == recovery_digest(code)
    for other in ("ABOI-B234-WXYZ-7776", "ABOI-B234-WXYZ", "", "é" * 16):
        assert recovery_digest(other) != recovery_digest(code)
