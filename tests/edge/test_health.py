"""How the box says that it is: every fault shows, in words, and no pupil's name is ever written down."""

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edge.config import LogConfig
from edge.health import MB, Facts, State, judge, worst
from edge.logs import FILE_NAME, FOLDER, Logs
from edge.machine import Machine, read_machine, why_not_writable
from edge.pulse import STALLED_S, Pulse
from edge.second_copy import CopyState
from homework.errors import ClassboxError
from sync.allowance import Restraint
from sync.clock import ClockQuality
from ui.language import translator

MACHINE = Machine(
    rss_bytes=150 * MB,
    memory_free_bytes=800 * MB,
    memory_bytes=4000 * MB,
    disk_free_bytes=20_000 * MB,
    disk_bytes=32_000 * MB,
    temperature_c=51.0,
    throttled=0,
    load_1min=0.3,
    up_s=3600,
)
WELL = Facts(
    machine=MACHINE,
    source=True,
    camera_silence_s=0.1,
    camera_over=False,
    camera_trouble=None,
    grading_silence_s=0.2,
    grading_trouble=None,
    disk_trouble=None,
    loop_lag_s=0.0,
    not_writable=None,
    clock=ClockQuality.SYNCED,
    waiting=0,
    second_copy=CopyState(wanted=True, stick="USB", sheets=45),
    captured=45,
)
TROUBLE = ClassboxError("The camera sees only black.", remedy="Take the cap off the lens, or switch a light on.")


def of_machine(**more: object) -> Facts:
    return replace(WELL, machine=replace(MACHINE, **more))  # type: ignore[arg-type]


def test_a_box_that_is_well_says_so_in_every_check() -> None:
    checks = judge(WELL)
    assert worst(checks) is State.OK
    assert {check.state for check in checks} == {State.OK}
    assert all(not check.said.remedy for check in checks)


@pytest.mark.parametrize(
    ("facts", "name", "state"),
    [
        (replace(WELL, camera_trouble=TROUBLE), "camera", State.BAD),
        (replace(WELL, camera_silence_s=STALLED_S["camera"] + 1), "camera", State.BAD),
        (replace(WELL, camera_silence_s=None), "camera", State.BAD),
        (replace(WELL, camera_over=True, camera_silence_s=0.0), "camera", State.OK),
        (replace(WELL, source=False, camera_silence_s=None), "camera", State.OK),
        (replace(WELL, grading_silence_s=STALLED_S["grading"] + 1), "grading", State.BAD),
        (replace(WELL, grading_silence_s=None), "grading", State.BAD),
        (replace(WELL, grading_trouble=TROUBLE), "grading", State.WARN),
        (replace(WELL, not_writable="attempt to write a readonly database"), "ledger", State.BAD),
        (replace(WELL, disk_trouble=TROUBLE), "ledger", State.BAD),
        (of_machine(disk_free_bytes=10 * MB), "disk", State.BAD),
        (of_machine(disk_free_bytes=300 * MB), "disk", State.WARN),
        (of_machine(memory_free_bytes=20 * MB), "memory", State.WARN),
        (of_machine(rss_bytes=900 * MB), "memory", State.WARN),
        (of_machine(temperature_c=85.0), "temperature", State.BAD),
        (of_machine(temperature_c=76.0), "temperature", State.WARN),
        (of_machine(temperature_c=None, throttled=None), "temperature", State.OK),
        (of_machine(throttled=1 << 2), "temperature", State.BAD),
        (of_machine(throttled=1 << 18), "temperature", State.WARN),
        (of_machine(throttled=1), "power", State.BAD),
        (of_machine(throttled=1 << 16), "power", State.WARN),
        (of_machine(throttled=None), "power", State.OK),
        (replace(WELL, clock=ClockQuality.UNSET), "clock", State.WARN),
        (replace(WELL, clock=ClockQuality.RESTORED), "clock", State.OK),
        (replace(WELL, waiting=9000), "school", State.WARN),
        (replace(WELL, waiting=None), "school", State.OK),
        (replace(WELL, waiting=5, heard=False), "school", State.OK),
        (replace(WELL, waiting=9000, heard=False), "school", State.WARN),
        (replace(WELL, waiting=5, restraint=Restraint.NO_CROPS), "school", State.WARN),
        (replace(WELL, second_copy=CopyState()), "copy", State.OK),
        (replace(WELL, second_copy=CopyState(wanted=True)), "copy", State.WARN),
        (replace(WELL, second_copy=CopyState(wanted=True, stick="USB")), "copy", State.OK),
        (replace(WELL, second_copy=CopyState(wanted=True, stick="USB", trouble=TROUBLE)), "copy", State.WARN),
        (replace(WELL, loop_lag_s=5.0), "pages", State.WARN),
    ],
)
def test_each_fault_shows_where_it_is_with_what_to_do(facts: Facts, name: str, state: State) -> None:
    checks = judge(facts)
    found = next(check for check in checks if check.name == name)
    assert found.state is state
    assert all(check.state is State.OK for check in checks if check.name != name)
    assert worst(checks) is state
    assert bool(found.said.remedy) == (state is not State.OK)
    message, _ = found.said.said(translator("zh-CN").gettext)
    assert message != found.said.message or found.said is TROUBLE, "not translated"


def board(folder: Path, *, temperature: str = "51540\n", throttled: str | None = "50005\n") -> Path:
    """A Raspberry Pi's /sys, as far as it is read."""
    zone = folder / "class" / "thermal" / "thermal_zone0"
    zone.mkdir(parents=True)
    (zone / "temp").write_text(temperature)
    if throttled is not None:
        firmware = folder / "devices" / "platform" / "soc" / "soc:firmware"
        firmware.mkdir(parents=True)
        (firmware / "get_throttled").write_text(throttled)
    return folder


def test_a_board_says_how_warm_it_is_and_that_its_power_is_weak(tmp_path: Path) -> None:
    machine = read_machine(tmp_path, sys=board(tmp_path / "sys"))
    assert machine.temperature_c == pytest.approx(51.54)
    assert machine.throttled == 0x50005
    states = {check.name: check.state for check in judge(replace(WELL, machine=machine))}
    assert states["power"] is State.BAD


@pytest.mark.parametrize("text", ["", "nonsense", "-1000", "999999999"])
def test_a_sensor_that_says_nonsense_is_as_one_that_is_not_there(text: str, tmp_path: Path) -> None:
    machine = read_machine(tmp_path, sys=board(tmp_path / "sys", temperature=text, throttled="what"))
    assert machine.temperature_c is None
    assert machine.throttled is None


def test_a_database_that_takes_no_change_says_why_and_is_not_touched(tmp_path: Path) -> None:
    import sqlite3

    path = tmp_path / "ledger.sqlite"
    db = sqlite3.connect(path)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("CREATE TABLE t (a)")
    db.commit()
    before = path.stat().st_mtime_ns, (tmp_path / "ledger.sqlite-wal").stat().st_size
    assert why_not_writable(path) is None
    assert before == (path.stat().st_mtime_ns, (tmp_path / "ledger.sqlite-wal").stat().st_size)
    db.execute("BEGIN IMMEDIATE")
    assert "locked" in (why_not_writable(path) or "")
    db.execute("ROLLBACK")
    db.close()
    assert why_not_writable(tmp_path / "none.sqlite") is not None
    (tmp_path / "odd.sqlite").write_bytes(b"nothing" * 1000)
    assert why_not_writable(tmp_path / "odd.sqlite") is not None


def test_a_technician_reads_that_nobody_at_the_school_listens() -> None:
    said = {
        heard: {c.name: str(c.said) for c in judge(replace(WELL, waiting=5, heard=heard))}["school"]
        for heard in (None, True, False)
    }
    assert said[None] == said[True]
    assert "Nobody listens" in said[False]


def test_a_thread_that_stands_still_shows_and_one_that_waits_or_is_over_does_not() -> None:
    now = [0.0]
    pulse = Pulse(lambda: now[0])
    pulse.beat("grading")
    pulse.beat("camera")
    now[0] = STALLED_S["camera"] + 1
    assert pulse.stalled() == ("camera",)
    with pulse.waiting("camera"):
        now[0] += 1000
        assert pulse.stalled() == ("grading",)
    assert pulse.silence_s("camera") == 0
    now[0] += 1000
    pulse.over("camera")
    pulse.beat("grading")
    now[0] += 5
    assert pulse.stalled() == ()


@pytest.fixture
def logs(tmp_path: Path) -> Iterator[Logs]:
    made = Logs()
    made.to_folder(LogConfig(max_kb=16, files=3), tmp_path)
    made.to_stderr(LogConfig())
    yield made
    made.close()


def lines(data: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in (data / FOLDER / FILE_NAME).read_text(encoding="utf-8").splitlines()]


def test_a_line_is_one_object_whatever_stands_in_it(logs: Logs, tmp_path: Path) -> None:
    # Given to our own handlers alone: a test's report cannot carry text that is no UTF-8 from one process to another.
    words = ("two\nlines and a \x00 and “quotes” %s", ("\ud800",))
    record = logging.getLogger("edge.test").makeRecord("edge.test", logging.WARNING, __file__, 1, *words, None)
    for handler in logs._handlers:
        handler.handle(record)
    assert "two" in logs.newest()[-1].encode().decode()
    found = lines(tmp_path)[-1]
    assert (found["level"], found["from"]) == ("warning", "edge.test")
    assert found["message"].startswith("two\nlines")
    assert found["at"][:2] == "20"


def test_no_pupils_name_is_written_however_it_comes_into_a_line(
    logs: Logs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.names.learn(lambda: ["张三", "欧阳小明", "Li Lei", "Li"])
    log = logging.getLogger("edge.test")
    log.warning("the file %s is damaged", Path("/scans/张三 欧阳小明.jpg"))
    log.info("Li Lei and Li listen")
    try:
        {}["张三"]
    except KeyError:
        log.exception("a page of 张三 could not be worked on")
    everywhere = "".join(logs.newest()) + (tmp_path / FOLDER / FILE_NAME).read_text(encoding="utf-8")
    for name in ("张三", "欧阳", "小明", "Li "):
        assert name not in everywhere
        assert name not in capsys.readouterr().err
    assert "listen" in everywhere
    assert "KeyError" in everywhere


def test_a_class_list_that_cannot_be_read_costs_no_line(logs: Logs, tmp_path: Path) -> None:
    def broken() -> list[str]:
        logging.getLogger("edge.documents").warning("the list is damaged")
        raise OSError("gone")

    logs.names.learn(broken)
    logging.getLogger("edge.test").warning("still here")
    assert "still here" in [line["message"] for line in lines(tmp_path)]


@pytest.mark.usefixtures("logs")
def test_logs_stay_within_their_size(tmp_path: Path) -> None:
    for number in range(2000):
        logging.getLogger("edge.test").info("line %d %s", number, "x" * 100)
    kept = list((tmp_path / FOLDER).iterdir())
    assert len(kept) == 3
    assert sum(path.stat().st_size for path in kept) <= 3 * 16 * 1024
    assert "line 1999" in lines(tmp_path)[-1]["message"]


def test_a_folder_that_cannot_be_written_costs_the_log_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / FOLDER).write_text("a file is in the way")
    made = Logs()
    made.to_stderr(LogConfig())
    made.to_folder(LogConfig(), tmp_path)
    logging.getLogger("edge.test").warning("told all the same")
    assert "told all the same" in "".join(made.newest())
    made.close()
