"""What a fuzzer that sees which branches it reaches (atheris, on libFuzzer) finds in the decoders: nothing may escape.

`fuzz` changes messages at random, a million of them; here the changes are kept that reach code which none before had
reached. The input says what it is for (a kind of message, the entries of a frame, a record); all of it is signed, so
that it comes behind the signature. The child ends at the first exception that is no `WireError`, and the input that did
it is printed.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

_LONGEST = 4_096
_RSS_MB = 1_024
_DONE = re.compile(r"DONE\s+cov: (\d+) ft: (\d+) corp: (\d+)")


def guided(runs: int, corpus: Path) -> None:
    """In a process of its own, which this ends."""
    import atheris  # noqa: PLC0415 - not everywhere, and what it is to watch must not be imported before it

    with atheris.instrument_imports(include=["sync"]):
        from benchmarks import fuzz  # noqa: PLC0415
        from benchmarks._made_up import DECODERS  # noqa: PLC0415
        from sync.signed import MessageKind  # noqa: PLC0415
        from sync.topics import Channel  # noqa: PLC0415

    kinds = list(MessageKind)

    def one_input(data: bytes) -> None:
        if not data:
            return
        what, rest = data[0] % (len(kinds) + 2), data[1:]
        if what < len(kinds):
            channel: Channel | None = "up" if kinds[what] in DECODERS else None
            fuzz.take_in(kinds[what], fuzz.signed_by_its_box(kinds[what], rest, channel))
        else:
            entries = rest if what == len(kinds) else fuzz.entries_of(rest)
            kind = MessageKind.ENVELOPE
            fuzz.take_in(kind, fuzz.signed_by_its_box(kind, fuzz.body_around(entries)))

    for number, data in enumerate(fuzz.beginnings(random.Random(1), len(kinds))):
        (corpus / f"{number:03}").write_bytes(data)
    atheris.Setup(
        [
            sys.argv[0],
            f"-runs={runs}",
            f"-max_len={_LONGEST}",
            f"-rss_limit_mb={_RSS_MB}",
            "-seed=1",
            f"-artifact_prefix={corpus}/",
            str(corpus),
        ],
        one_input,
    )
    atheris.Fuzz()


def measure(runs: int) -> dict[str, object]:
    """What a child process found; `runs` 0 where atheris is not installed."""
    if find_spec("atheris") is None:
        return {"runs": 0, "why": "atheris is not installed"}
    began_s = time.perf_counter()
    with tempfile.TemporaryDirectory() as corpus:
        child = subprocess.run(
            [sys.executable, "-m", "benchmarks.guided_fuzz", "--child", corpus, "--runs", str(runs)],
            capture_output=True,
            text=True,
            check=False,
            cwd=Path(__file__).resolve().parents[1],
        )
    done = _DONE.search(child.stderr)
    escaped = child.returncode != 0 or done is None
    if escaped:
        print(child.stderr[-4_000:], file=sys.stderr)
    branches, features, kept = (int(part) for part in done.groups()) if done is not None else (0, 0, 0)
    return {
        "runs": runs,
        "escaped": int(escaped),
        "branches_reached": branches,
        "features_reached": features,
        "inputs_kept": kept,
        "longest_bytes": _LONGEST,
        "rss_limit_mb": _RSS_MB,
        "seconds": round(time.perf_counter() - began_s, 1),
    }


def main() -> int:
    """Exit 1 when an exception escaped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=None, help="so many inputs (default: 500,000)")
    parser.add_argument("--quick", action="store_true", help="20,000 inputs")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--child", type=Path, default=None, help=argparse.SUPPRESS)
    options = parser.parse_args()
    runs = options.runs or (20_000 if options.quick else 500_000)
    if options.child is not None:
        guided(runs, options.child)
        return 0
    figures = measure(runs)
    print(json.dumps(figures) if options.json else "\n".join(f"{name:18} {value}" for name, value in figures.items()))
    return int(bool(figures.get("escaped")))


if __name__ == "__main__":
    raise SystemExit(main())
