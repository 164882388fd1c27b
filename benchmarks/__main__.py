"""`make bench`: runs every benchmark and writes `docs/benchmarks.md`, with the conditions of the run.

Each module here answers one question, prints figures, and prints one JSON object with `--json`.
"""

from __future__ import annotations

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
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=HERE,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    return [
        f"{time.strftime('%Y-%m-%d')}, commit {commit or 'unknown'}",
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
    """What people wrote beside the figures, by benchmark: quoted lines (`> `) outlive the next run."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in REPORT.read_text(encoding="utf-8").splitlines() if REPORT.exists() else []:
        if line.startswith("## `"):
            name = line[4:-1]
        elif line.startswith("> "):
            found.setdefault(name, []).append(line)
    return found


def section(name: str, figures: dict[str, Any], said: list[str]) -> list[str]:
    """One benchmark's part of the report."""
    lines = [f"## `{name}`", "", question(name), "", *([*said, ""] if said else [])]
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


def main() -> int:
    """Run them all; exit 1 when one fails, after the others have run."""
    extra = [word for word in sys.argv[1:] if word == "--quick"]
    parts: list[str] = []
    said = remarks()
    failed = []
    for name in names():
        print(f"{name}: {question(name)}", flush=True)
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
            print(f"  failed: {(done.stderr.strip().splitlines() or ['no message'])[-1]}", file=sys.stderr)
            continue
        parts += section(name, json.loads(done.stdout.strip().splitlines()[-1]), said.get(name, []))
    head = [
        "# Benchmarks",
        "",
        "Written by `make bench`. Figures of one run; compare ratios, these machines are noisy.",
        "",
    ]
    REPORT.write_text("\n".join([*head, *(f"- {line}" for line in conditions()), "", *parts]), encoding="utf-8")
    print(f"wrote {REPORT.name}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
