"""What runs in a process of its own: what comes back, what does not, and that nothing of it stays."""

from __future__ import annotations

import os
import time

import pytest

from homework.errors import BadFileError, ClassboxError
from ui import apart as module
from ui.apart import apart


def its_process(word: str, *, again: int = 1) -> tuple[str, int]:
    return word * again, os.getpid()


def refuses() -> None:
    raise BadFileError("{name} has no sheet.", remedy="Save the table again.", name="a.xlsx")


def falls_over() -> None:
    raise RuntimeError("no ink")


def dies() -> None:
    os._exit(7)


def talks() -> str:
    print("a library that says something")
    return "done"


def test_what_a_function_returns_comes_back_from_another_process() -> None:
    words, pid = apart(its_process, "ab", again=2)

    assert words == "abab"
    assert pid != os.getpid()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_an_error_of_ours_comes_back_as_it_was_with_its_values() -> None:
    with pytest.raises(BadFileError) as caught:
        apart(refuses)

    assert str(caught.value) == "a.xlsx has no sheet. Save the table again."
    chinese = {"{name} has no sheet.": "{name} 没有工作表。"}
    assert caught.value.said(lambda message: chinese.get(message, message))[0] == "a.xlsx 没有工作表。"


@pytest.mark.parametrize(("function", "reason"), [(falls_over, "no ink"), (dies, "exit 7")])
def test_a_process_that_falls_over_is_an_error_with_its_reason_and_a_remedy(function: object, reason: str) -> None:
    with pytest.raises(ClassboxError) as caught:
        apart(function)  # type: ignore[arg-type]

    assert reason in caught.value.message
    assert caught.value.remedy


def test_what_a_library_prints_does_not_spoil_the_answer() -> None:
    assert apart(talks) == "done"


def test_a_process_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TIMEOUT_S", 1.0)
    began_s = time.monotonic()

    with pytest.raises(ClassboxError, match="TimeoutExpired"):
        apart(time.sleep, 60)

    assert time.monotonic() - began_s < 20
