from __future__ import annotations

import contextlib
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from edge.cli import main
from homework.errors import BadFileError, ClassboxError, UsageError
from provisioning.identity import Identity, identity_path, read_identity, write_identity
from provisioning.keys import enrolment_code, new_box_key, new_school_key, parse_enrolment_code
from sync.errors import BadTopic

ids = st.from_regex(r"[A-Za-z0-9_-]{1,32}", fullmatch=True)


def identity(school: str = "school-1", box: str = "box-3-1", url: str = "mqtt://192.168.1.10:1883") -> Identity:
    return Identity(
        school=school, box=box, school_key=new_school_key(), box_key=new_box_key(), broker_url=url
    )  # fmt: skip


@given(ids, ids)
def test_a_code_carries_an_identity(school: str, box: str):
    one = identity(school, box)
    assert parse_enrolment_code(enrolment_code(one)) == one


def test_a_code_may_be_typed_carelessly():
    one = identity()
    code = enrolment_code(one)
    swapped = code[3:].replace("O", "0").replace("I", "1").replace("B", "8").lower()
    assert parse_enrolment_code(f"  cb1{swapped.replace('-', ' ')}\n") == one


@given(st.data())
def test_one_wrong_or_missing_character_is_noticed(data: st.DataObject):
    code = enrolment_code(identity())
    letters = [n for n, c in enumerate(code) if c != "-" and n > 3]
    at = data.draw(st.sampled_from(letters))
    other = data.draw(st.sampled_from("ACDEFGHJ2345").filter(lambda c: c != code[at]))
    for wrong in (code[:at] + other + code[at + 1 :], code[:at] + code[at + 1 :]):
        with contextlib.suppress(UsageError):
            # only the last character may have bits that mean nothing
            assert parse_enrolment_code(wrong) == parse_enrolment_code(code)
            assert at == letters[-1]


@pytest.mark.parametrize("code", ["", "CB1", "hello", "CB1-ÄÖÜ", "CB1-AAAAA-AAAAA", "CB1-0"])
def test_what_is_no_code_is_a_usage_error(code: str):
    with pytest.raises(UsageError):
        parse_enrolment_code(code)


@pytest.mark.parametrize("bad", [{"school": "a/b"}, {"box": "+"}, {"url": "http://x"}])
def test_no_code_is_made_for_names_that_cannot_stand_in_a_topic(bad: dict[str, str]):
    with pytest.raises((BadTopic, UsageError)):
        enrolment_code(identity(**bad))


def test_an_identity_is_kept_for_its_owner_only(tmp_path: Path):
    """D8."""
    one = identity()
    path = write_identity(tmp_path / "data", one)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_identity(tmp_path / "data") == one
    write_identity(tmp_path / "data", identity(box="box-2"))
    assert [p.name for p in (tmp_path / "data").iterdir()] == [path.name]


def test_keys_never_stand_in_a_log():
    one = identity()
    assert one.box_key.hex() not in repr(one)
    assert repr(one) == "Identity(school-1/box-3-1, broker_url='mqtt://192.168.1.10:1883')"


def test_a_box_without_an_identity_has_none_and_a_damaged_one_is_said(tmp_path: Path):
    assert read_identity(tmp_path) is None
    identity_path(tmp_path).write_text('{"school": "s"')
    with pytest.raises(BadFileError, match="cannot be read"):
        read_identity(tmp_path)


def enrol(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["enrol", *words], env={"CLASSBOX_LANG": "en"})
    assert done.exception is None or isinstance(done.exception, SystemExit | ClassboxError)
    return done.exit_code, done.output


def test_the_command_enrols_a_box_once_and_again_only_when_told(tmp_path: Path):
    first, second = identity(), identity(box="box-2")
    code, output = enrol(enrolment_code(first), "--data", str(tmp_path))
    assert (code, "school-1/box-3-1" in output) == (0, True)
    assert first.box_key.hex() not in output
    assert enrol(enrolment_code(first), "--data", str(tmp_path))[0] == 0
    code, output = enrol(enrolment_code(second), "--data", str(tmp_path))
    assert (code, "--replace" in output) == (2, True)
    assert read_identity(tmp_path) == first
    assert enrol(enrolment_code(second), "--data", str(tmp_path), "--replace")[0] == 0
    assert read_identity(tmp_path) == second


def test_the_command_says_a_wrong_code_in_one_line(tmp_path: Path):
    code, output = enrol("CB1-NONSENSE", "--data", str(tmp_path))
    assert code == 2
    assert output.count("\n") == 1
    assert "mistake" in output
