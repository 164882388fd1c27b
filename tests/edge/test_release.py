"""A test's results are held back until a teacher releases them."""

from pathlib import Path

import pytest

from edge.documents import Documents
from edge.release import hold_back, is_released, is_test, release, released_by
from homework.assignment import parse_assignment

ITEM = '[[item]]\nkind = "number"\nprompt = "1 + 1 ="\nanswer = "2"\n'


@pytest.fixture
def documents(tmp_path: Path) -> Documents:
    made = Documents(tmp_path)
    for name, mode in (("work", "homework"), ("exam", "test"), ("exam-2", "test")):
        made.put_assignment(parse_assignment(f'[assignment]\nid = "{name}"\ntitle = "t"\nmode = "{mode}"\n{ITEM}'))
    return made


def test_homework_is_shown_at_once_and_a_test_is_not(documents: Documents) -> None:
    assert is_released(documents, "work")
    assert not is_released(documents, "exam")
    assert (is_test(documents, "work"), is_test(documents, "exam")) == (False, True)


def test_what_is_not_known_holds_nothing_back(documents: Documents) -> None:
    assert is_released(documents, None)
    assert is_released(documents, "never-loaded")


def test_a_release_is_of_one_test_outlives_a_restart_and_can_be_taken_back(
    documents: Documents, tmp_path: Path
) -> None:
    release(documents, "exam", person="王老师")
    again = Documents(tmp_path)
    assert is_released(again, "exam")
    assert released_by(again, "exam") == "王老师"
    assert not is_released(again, "exam-2")
    hold_back(again, "exam")
    assert not is_released(documents, "exam")
    assert released_by(documents, "exam") is None
