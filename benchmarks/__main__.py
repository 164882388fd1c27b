"""`make bench`: runs every benchmark and writes `docs/benchmarks.md`, with the conditions of the run.

`python -m benchmarks crash wear` runs those alone and leaves the other parts of the report as they stand;
`python -m benchmarks term --figures FILE` writes what `benchmarks.term --json` has printed into FILE.
Each module here answers one question, prints figures, and prints one JSON object with `--json`. Those that need the
handwriting run when `--data DIR` says where it is; without, what they printed before stays in the report.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import platform
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
REPORT = HERE.parent / "docs" / "benchmarks.md"
LIMIT_S = 1800
IN_PART = frozenset({"term"})
"""Of the whole a tenth is run here; what the hours of the whole gave is written with `--figures`."""
NEED_DATA = frozenset({"hands", "peers_ocr"})
MAY_USE_DATA = frozenset({"reading"})


def names() -> list[str]:
    """The benchmarks, in alphabetical order; a leading underscore marks what they share."""
    return sorted(path.stem for path in HERE.glob("*.py") if not path.stem.startswith("_"))


def question(name: str) -> str:
    """The first line of the module's docstring."""
    tree = ast.parse((HERE / f"{name}.py").read_text(encoding="utf-8"))
    return (ast.get_docstring(tree) or name).splitlines()[0]


def conditions() -> list[str]:
    """The machine and the versions, one line each."""
    processor = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
        processor = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), processor)
    packages = ("numpy", "opencv-python-headless", "ai-edge-litert", "zxing-cpp", "typst", "msgspec", "sqlalchemy")
    return [
        f"{processor}, {os.cpu_count()} cores (shared; not a Raspberry Pi), {platform.system()} {platform.machine()}",
        f"Python {platform.python_version()}, " + ", ".join(f"{name} {version(name)}" for name in packages),
    ]


def cell(value: Any) -> str:
    """A figure as a person reads it."""
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {cell(inner)}" for key, inner in value.items())
    if isinstance(value, list):
        return ", ".join(cell(inner) for inner in value)
    return str(value)


def rows_table(rows: list[dict[str, Any]]) -> list[str]:
    """A list of like objects as a Markdown table."""
    keys = list(dict.fromkeys(key for row in rows for key in row))
    return [
        "| " + " | ".join(keys) + " |",
        "| " + " | ".join("---" for _ in keys) + " |",
        *("| " + " | ".join(cell(row.get(key, "")) for key in keys) + " |" for row in rows),
    ]


def remarks() -> dict[str, list[str]]:
    """What people wrote beside the figures, by benchmark ("": above all): quoted lines (`> `) outlive the next run."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in REPORT.read_text(encoding="utf-8").splitlines() if REPORT.exists() else []:
        if line.startswith("## `"):
            name = line[4:-1]
        elif line.startswith("> "):
            found.setdefault(name, []).append(line)
    return found


def commit() -> str:
    """The commit that is measured, short."""
    words = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(words, cwd=HERE, capture_output=True, text=True, check=False).stdout.strip() or "unknown"


def section(name: str, figures: dict[str, Any], said: list[str]) -> list[str]:
    """One benchmark's part of the report."""
    lines = [f"## `{name}`", "", question(name), "", *([*said, ""] if said else [])]
    lines += [f"Measured {time.strftime('%Y-%m-%d')}, commit {commit()}.", ""]
    plain = {
        key: value
        for key, value in figures.items()
        if not (isinstance(value, list) and value and isinstance(value[0], dict))
    }
    lines += [
        "| figure | value |",
        "| --- | --- |",
        *(f"| `{key}` | {cell(value)} |" for key, value in plain.items()),
        "",
    ]
    for key, value in figures.items():
        if key not in plain:
            lines += [f"`{key}`", "", *rows_table(value), ""]
    return lines


def kept(name: str) -> list[str]:
    """The part of the report that stands there now; nothing when there is none."""
    lines = REPORT.read_text(encoding="utf-8").splitlines() if REPORT.exists() else []
    if (head := f"## `{name}`") not in lines:
        return []
    start = lines.index(head)
    end = next((n for n in range(start + 1, len(lines)) if lines[n].startswith("## `")), len(lines))
    return lines[start:end]


def last_object(printed: str) -> dict[str, Any]:
    """The JSON object in the last line of what a benchmark printed."""
    found: dict[str, Any] = json.loads(printed.strip().splitlines()[-1])
    return found


def main() -> int:
    """Run them; exit 1 when one fails, after the others have run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[*names(), []], help="these alone")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--data", type=Path, help="folder with the handwriting")
    parser.add_argument("--figures", type=Path, metavar="FILE", help="what NAME --json printed before; nothing is run")
    options = parser.parse_args()
    if options.figures is not None and len(options.names) != 1:
        parser.error("--figures are of one benchmark: name it")
    data = ["--data", str(options.data)] if options.data is not None else []
    parts: list[str] = []
    said = remarks()
    failed = []
    for name in names():
        if (options.names and name not in options.names) or (name in NEED_DATA and not data):
            print(f"{name}: stays as it stands")
            parts += kept(name)
            continue
        print(f"{name}: {question(name)}", flush=True)
        if options.figures is not None:
            parts += section(name, last_object(options.figures.read_text(encoding="utf-8")), said.get(name, []))
            continue
        quick = options.quick or name in IN_PART
        extra = [*(["--quick"] if quick else []), *(data if name in NEED_DATA | MAY_USE_DATA else [])]
        done = subprocess.run(
            [sys.executable, "-m", f"benchmarks.{name}", "--json", *extra],
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT_S,
            cwd=HERE.parent,
        )
        if done.returncode != 0:
            failed.append(name)
            parts += kept(name)
            print(f"  failed: {(done.stderr.strip().splitlines() or ['no message'])[-1]}", file=sys.stderr)
            continue
        parts += section(name, last_object(done.stdout), said.get(name, []))
    head = [
        "# Benchmarks",
        "",
        "`make bench` runs them all, each alone is `python -m benchmarks.NAME --json`. One run each: compare ratios.",
        "",
    ]
    head += [*(f"- {line}" for line in conditions()), "", *(said[""] + [""] if "" in said else [])]
    REPORT.write_text("\n".join([*head, *parts]), encoding="utf-8")
    print(f"wrote {REPORT.name}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
