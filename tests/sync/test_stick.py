"""The files on a stick: what was written comes back, in its order, and nothing that was changed, moved or cut does."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.stick import StickError, answers_file, boxes_on, is_registered, read_messages, register, write_messages

SCHOOL, BOX, KEY = "no-1", "box-1", bytes(range(32))
MESSAGES = st.lists(st.tuples(st.sampled_from(["state", "up", "down"]), st.binary(max_size=200)), max_size=8)


def up(stick: Path, *, box: str = BOX) -> Path:
    return stick / "classbox-sync" / SCHOOL / box / "up.cbx"


def write(stick: Path, messages: list[tuple[str, bytes]], *, box: str = BOX, key: bytes = KEY) -> int:
    return write_messages(stick, "up", messages, school=SCHOOL, box=box, key=key)


def read(stick: Path, *, box: str = BOX, key: bytes = KEY) -> tuple[tuple[tuple[str, bytes], ...], bool]:
    return read_messages(stick, "up", school=SCHOOL, box=box, key=key)


def read_or_refuse(stick: Path) -> tuple[tuple[tuple[str, bytes], ...], bool]:
    """A file of which nothing can be read is refused with a word: for what is lost that is the same."""
    try:
        return read(stick)
    except StickError:
        return (), True


@settings(deadline=None)
@given(MESSAGES)
def test_what_was_written_comes_back(tmp_path_factory: pytest.TempPathFactory, messages: list[tuple[str, bytes]]):
    stick = tmp_path_factory.mktemp("stick")
    assert write(stick, messages) == up(stick).stat().st_size

    assert read(stick) == (tuple(messages), False)


@settings(deadline=None)
@given(MESSAGES.filter(len), st.data())
def test_a_file_that_was_cut_anywhere_gives_what_stood_before_and_no_more(
    tmp_path_factory: pytest.TempPathFactory, messages: list[tuple[str, bytes]], data: st.DataObject
):
    stick = tmp_path_factory.mktemp("stick")
    write(stick, messages)
    whole = up(stick).read_bytes()
    cut = data.draw(st.integers(0, len(whole) - 1))
    up(stick).write_bytes(whole[:cut])

    found, _torn = read_or_refuse(stick)

    assert found == tuple(messages)[: len(found)]
    assert len(found) < len(messages)


@settings(deadline=None)
@given(MESSAGES.filter(len), st.data())
def test_a_byte_that_was_changed_anywhere_never_gives_another_message(
    tmp_path_factory: pytest.TempPathFactory, messages: list[tuple[str, bytes]], data: st.DataObject
):
    stick = tmp_path_factory.mktemp("stick")
    write(stick, messages)
    whole = bytearray(up(stick).read_bytes())
    whole[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    up(stick).write_bytes(bytes(whole))

    found, torn = read_or_refuse(stick)

    assert torn
    assert found == tuple(messages)[: len(found)]


def test_messages_of_another_box_way_or_order_are_not_taken(tmp_path: Path):
    write(tmp_path, [("up", b"one"), ("up", b"two")])
    whole = up(tmp_path).read_bytes()
    for place in (up(tmp_path, box="box-2"), answers_file(tmp_path, SCHOOL, BOX)):
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(whole)

    with pytest.raises(StickError, match="box-2"):
        read(tmp_path, box="box-2")
    with pytest.raises(StickError):
        read_messages(tmp_path, "down", school=SCHOOL, box=BOX, key=KEY)
    with pytest.raises(StickError):
        read(tmp_path, key=bytes(32))


def test_nothing_of_a_message_can_be_read_on_the_stick(tmp_path: Path):
    write(tmp_path, [("up", b"sheet of pupil S001 " * 20)])

    assert b"S001" not in up(tmp_path).read_bytes()


def test_a_stick_without_our_file_holds_nothing(tmp_path: Path):
    assert read(tmp_path) == ((), False)
    assert boxes_on(tmp_path, SCHOOL) == []


def test_folders_that_are_no_boxes_do_not_hide_those_that_are(tmp_path: Path):
    write(tmp_path, [("up", b"one")])
    write(tmp_path, [("up", b"one")], box="box-2")
    (tmp_path / "classbox-sync" / SCHOOL / "a b c").mkdir()
    (tmp_path / "classbox-sync" / SCHOOL / "0").mkdir()

    assert boxes_on(tmp_path, SCHOOL) == ["box-1", "box-2"]


def test_a_stick_is_the_schools_own_only_when_the_school_made_it_so(tmp_path: Path):
    register(tmp_path, school=SCHOOL, school_key=KEY)

    assert is_registered(tmp_path, school=SCHOOL, school_key=KEY)
    assert not is_registered(tmp_path, school=SCHOOL, school_key=bytes(32))
    assert not is_registered(tmp_path, school="no-2", school_key=KEY)
    file = tmp_path / "classbox-sync" / SCHOOL / "school.json"
    file.write_bytes(file.read_bytes().replace(b'"stick":"', b'"stick":"0'))
    assert not is_registered(tmp_path, school=SCHOOL, school_key=KEY)
    file.write_bytes(b"\xff")
    assert not is_registered(tmp_path, school=SCHOOL, school_key=KEY)
