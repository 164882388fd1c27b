"""The whole path on one machine: print, fill in, slide, grade, sync, report.

Starts a broker, a gateway and a box as processes of their own and talks to them as a person would: through their
commands and their pages. It imports neither program.
"""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from homework.errors import ClassboxError
from homework.roster import Pupil, Roster, roster_to_csv
from models.simulation.score import aligned, score_class
from sync.embedded_broker import Broker
from ui.language import terminal_language, translator
from ui.terminal import say_error

_ = translator(terminal_language()).gettext
BIN = Path(sys.executable).parent
ASSIGNMENT = Path(__file__).resolve().parents[1] / "examples" / "g3-mul-2x1.toml"
CLASS_NAME = "3-1"
SCHOOL, BOX = "demo-school", "box-1"
STALL_S = 120.0
"""How long nothing may move before the demo gives up and says where to look."""


class DemoError(ClassboxError):
    """A part of the demo did not come up or stood still."""


@dataclass(frozen=True)
class Running:
    """A started program: its first page and the log that it writes."""

    name: str
    url: str
    process: subprocess.Popen[str]
    log: Path


def run_tool(*words: str | Path) -> str:
    """Run one of our commands to its end and return what it prints. Raises `DemoError` with its last line."""
    done = subprocess.run([str(BIN / str(words[0])), *map(str, words[1:])], capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise DemoError(f"`{words[0]} {words[1]}` failed: {last}", remedy="Run `make setup` and try again.")
    return done.stdout


@contextmanager
def running(name: str, *words: str | Path, log: Path) -> Iterator[Running]:
    """A program that runs until the block ends. Waits for its `ready URL`; stops it gently, then firmly."""
    with log.open("w", encoding="utf-8") as errors:
        process = subprocess.Popen(  # noqa: S603
            [str(BIN / str(words[0])), *map(str, words[1:])], stdout=subprocess.PIPE, stderr=errors, text=True
        )
        try:
            assert process.stdout is not None
            url = ""
            for line in process.stdout:
                if line.startswith("ready "):
                    url = line.split(maxsplit=1)[1].strip()
                    break
            if not url:
                last = (log.read_text(encoding="utf-8").strip().splitlines() or ["no message"])[-1]
                raise DemoError(f"{name} did not start: {last}", remedy=f"See {log}.")
            yield Running(name, url, process, log)
        finally:
            process.terminate()
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def make_roster(size: int) -> Roster:
    """A class of generated pupils."""
    return Roster(tuple(Pupil(CLASS_NAME, n, f"学生{n:02d}", f"S{n:03d}") for n in range(1, size + 1)))


def write_toml(path: Path, table: dict[str, Any]) -> Path:
    """A small configuration file: plain keys first, then one level of tables."""
    lines = [f"{key} = {json.dumps(value)}" for key, value in table.items() if not isinstance(value, dict)]
    for name, inner in table.items():
        if isinstance(inner, dict):
            lines += [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in inner.items())]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def lines_of(path: Path) -> list[dict[str, Any]]:
    """The JSON objects of a file of lines; none when it is not there yet."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def listen_at(port: int) -> str:
    """`127.0.0.1:port`, or any free port when somebody listens there already."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return "127.0.0.1:0"
    return f"127.0.0.1:{port}"


def box_status(data: Path) -> dict[str, Any]:
    """What the box says of itself."""
    status: dict[str, Any] = json.loads(run_tool("classbox", "status", "--data", data, "--json"))
    return status


def fetch(gateway: Running, path: str) -> Any:
    """What the gateway's interface answers at a path, parsed."""
    with urllib.request.urlopen(f"{gateway.url.rstrip('/')}/api/1{path}", timeout=10) as answer:  # noqa: S310
        return json.load(answer)


def class_report(gateway: Running, assignment: str) -> dict[str, Any]:
    """The class report, as the gateway's interface tells it; before it knows of the homework, that nothing came."""
    where = f"/schools/{SCHOOL}/classes/{urllib.parse.quote(CLASS_NAME)}/assignments/{assignment}/report"
    try:
        report: dict[str, Any] = fetch(gateway, where)
    except urllib.error.HTTPError as answer:
        if answer.code != HTTPStatus.NOT_FOUND:
            raise
        return {"sheets": 0, "unnamed": 0}
    return report


def name_the_nameless(box: Running, data: Path, truth: Path) -> int:
    """The virtual teacher answers “whose sheet is this?” on the box's page, as she knows her pupils' hands.

    Returns how many sheets were asked about.
    """
    pages = exported(data)
    asked = [
        (page["number"], written["pupil"])
        for written, page in aligned(lines_of(truth), pages)
        if page["standing"] == "ask"
    ]
    for number, pupil in asked:
        form = urllib.parse.urlencode({"pupil": pupil}).encode()
        request = urllib.request.Request(f"{box.url.rstrip('/')}/sheets/{number}/owner", data=form)  # noqa: S310
        with urllib.request.urlopen(request, timeout=10):  # noqa: S310
            pass
    return len(asked)


def exported(data: Path) -> list[dict[str, Any]]:
    """Every page that the box has, as its export tells."""
    pages: list[dict[str, Any]] = json.loads(run_tool("classbox", "export", "--json", "--data", data))
    return pages


class Watch:
    """Follows the stack by what the school knows. Raises `DemoError` when a program dies or nothing moves."""

    def __init__(self, box: Running, gateway: Running, *, data: Path, assignment: str, sheets: int) -> None:
        self.box, self.gateway, self.data, self.assignment, self.sheets = box, gateway, data, assignment, sheets
        self.first_s = self.moved_s = time.monotonic()
        self.named = self.unnamed = 0

    def look(self) -> int:
        """Look once; returns how many sheets the school has, named or not."""
        for program in (self.box, self.gateway):
            if program.process.poll() is not None:
                raise DemoError(f"{program.name} ended by itself.", remedy=f"See {program.log}.")
        before, now = (self.named, self.unnamed), time.monotonic()
        report = class_report(self.gateway, self.assignment)
        self.named, self.unnamed = int(report["sheets"]), int(report["unnamed"])
        if before != (self.named, self.unnamed):
            self.first_s = now if before == (0, 0) else self.first_s
            self.moved_s = now
        if now - self.moved_s > STALL_S:
            status = box_status(self.data)
            raise DemoError(
                f"Nothing has moved for {STALL_S:.0f} s: {status['captured']} of {self.sheets} captured, "
                f"{self.named} in the report, {self.unnamed} without a name.",
                remedy=f"See {self.box.log} and {self.gateway.log}.",
            )
        return self.named + self.unnamed

    def until_all_came(self, console: Console) -> float:
        """Wait until the school has every sheet. Returns the seconds from the first to the last."""
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        told = 0
        with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
            bar = bars.add_task(_("sheets at the school"), total=self.sheets)
            while (came := self.look()) < self.sheets:
                bars.update(bar, completed=came)
                if not console.is_terminal and came // 10 > told:
                    told = came // 10
                    console.print(_("   {came} of {sheets} at the school").format(came=came, sheets=self.sheets))
                time.sleep(1.0)
            bars.update(bar, completed=self.sheets)
        return self.moved_s - self.first_s

    def until_all_count(self) -> None:
        """Wait until every sheet stands under a name and the box knows that the school has everything."""
        while self.look() < self.sheets or self.unnamed or box_status(self.data)["waiting"]:
            time.sleep(1.0)


@click.command()
@click.option("--class-size", default=45, show_default=True, type=click.IntRange(1, 60), help="Pupils in the class.")
@click.option("--once", is_flag=True, help="End when every sheet stands in the report, instead of on Ctrl-C.")
@click.option("--pace", default=1.3, show_default=True, help="Seconds a sheet.")
@click.option("--seed", default=7, show_default=True, help="Which virtual class.")
@click.option("--out", "out", default="demo-out", type=click.Path(path_type=Path), help="Where everything is written.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as one JSON object at the end.")
def main(*, class_size: int, once: bool, pace: float, seed: int, out: Path, as_json: bool) -> None:
    """Play a class's homework from print to report, with a simulated classroom.

    Example: python -m edge.demo --class-size 12 --once
    """
    console = Console(stderr=as_json, highlight=False, soft_wrap=True)
    # Also when it is ended from outside, its programs end with it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        _play(console, class_size=class_size, once=once, pace=pace, seed=seed, out=out, as_json=as_json)
    except ClassboxError as error:
        say_error(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        console.print(_("Stopped. Everything is in {folder}.").format(folder=out))
        sys.exit(130 if once else 0)


def _play(console: Console, *, class_size: int, once: bool, pace: float, seed: int, out: Path, as_json: bool) -> None:
    out = out.resolve()
    shutil.rmtree(out, ignore_errors=True)
    logs = out / "logs"
    logs.mkdir(parents=True)
    roster_file, sheets_dir, truth_file = out / "roster.csv", out / "sheets", out / "truth.jsonl"
    box_data, gate_data = out / "box", out / "gateway"
    roster_file.write_text(roster_to_csv(make_roster(class_size)), encoding="utf-8")

    console.print(_("1  prints the worksheets: {file}").format(file=sheets_dir / "worksheets.pdf"))
    run_tool("classbox", "print", ASSIGNMENT, "--roster", roster_file, "--class", CLASS_NAME, "-o", sheets_dir)
    assignment = json.loads((sheets_dir / "layout.json").read_text(encoding="utf-8"))["assignment"]
    pages = len(json.loads((sheets_dir / "layout.json").read_text(encoding="utf-8"))["pages"])
    sheets = class_size * pages

    with ExitStack() as stack:
        broker = stack.enter_context(Broker.start(log=logs / "broker.log"))
        console.print(
            _("2  starts the broker ({kind}), the school's gateway and the classroom's box").format(kind=broker.kind)
        )
        gate_config = write_toml(
            out / "gateway.toml",
            {"data": str(gate_data), "web": {"listen": listen_at(8700)}, "broker": {"url": broker.url}},
        )
        run_tool("classgate", "school", "add", SCHOOL, "--config", gate_config)
        run_tool("classgate", "import-roster", roster_file, "--school", SCHOOL, "--config", gate_config)
        code = run_tool(
            "classgate", "school", "enrol", SCHOOL, BOX, "--broker", broker.url, "--config", gate_config
        ).split()[-1]
        run_tool("classbox", "enrol", code, "--data", box_data)
        run_tool("classbox", "load", sheets_dir, "--roster", roster_file, "--data", box_data)
        # A teacher's hand waits for the sound, so a busy machine slows the stack down and misses nothing.
        stack_of = f"roster={roster_file}&class={class_size}&seed={seed}&pace={pace}&patient=1"
        box_config = write_toml(
            out / "box.toml",
            {
                "data": str(box_data),
                "school": SCHOOL,
                "box": BOX,
                "class": CLASS_NAME,
                "web": {"listen": listen_at(8600)},
                "broker": {"url": broker.url},
                "camera": {"source": f"simulated:{sheets_dir}?{stack_of}&truth={truth_file}"},
            },
        )
        gateway = stack.enter_context(
            running("classgate", "classgate", "run", "--config", gate_config, log=logs / "classgate.log")
        )
        box = stack.enter_context(
            running("classbox", "classbox", "run", "--config", box_config, log=logs / "classbox.log")
        )
        console.print(
            _("3  {count} pupils write by hand; their sheets slide under the camera").format(count=class_size)
        )
        console.print(_("   live page      {url}").format(url=box.url))
        console.print(_("   class report   {url}").format(url=gateway.url))
        follow = Watch(box, gateway, data=box_data, assignment=assignment, sheets=sheets)
        seconds = follow.until_all_came(console)
        # What the box read by itself is counted before anybody answers its questions.
        figures = score_class(lines_of(truth_file), exported(box_data))
        asked_whose = name_the_nameless(box, box_data, truth_file)
        follow.until_all_count()
        summary = {
            "sheets": sheets,
            "in_report": follow.named,
            "sheets_per_minute": round(60 * (sheets - 1) / seconds, 1) if seconds else None,
            "asked_whose": asked_whose,
            "duplicates": box_status(box_data)["duplicates"],
            **figures,
        }
        console.print(
            _(
                "4  {items} answers: {right} read right, {asked} asked, {silently_wrong} silently wrong; "
                "{wrong_pupil} sheets under a wrong name, {asked_whose} asked whose they are (the virtual teacher said)"
            ).format(**summary)
        )
        console.print(
            _("5  {in_report} of {sheets} sheets stand in the report, {sheets_per_minute} a minute").format(**summary)
        )
        (out / "summary.json").write_text(json.dumps(summary, ensure_ascii=False, indent=1), encoding="utf-8")
        if as_json:
            print(json.dumps(summary, ensure_ascii=False))
        if once:
            return
        console.print(_("Look at the pages; Ctrl-C ends the demo."))
        while True:
            time.sleep(3600)


if __name__ == "__main__":
    main()
