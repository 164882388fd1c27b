"""What all tests share: how laws are searched, and a class's printed, filled-in and scanned sheets."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import settings

# The same change gets the same verdict from everybody; `make test-long` looks in new places.
settings.register_profile("repeatable", derandomize=True)
settings.register_profile("searching", derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))

ROOT = Path(__file__).resolve().parents[1]
LONGEST = ("tests/browser/", "tests/e2e/", "tests/crash/", "tests/broker/", "tests/edge/test_a", "tests/test_docs")
"""Where files stand that take a minute or so: begun last, one would leave the other workers idle."""


LONG_S = 900
"""What a test may take that takes a minute or two on a machine of its own: a shared one is no fault of it."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))
    for item in items:
        if item.get_closest_marker("long") is not None and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(LONG_S))


@pytest.fixture(scope="session")
def scanned_class(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`sheets/` as `classbox print` writes them, `roster.csv` of 6 pupils, `scans/01.jpg` … `06.jpg`."""
    out = tmp_path_factory.mktemp("class")
    words = [sys.executable, "-m", "benchmarks._scans", str(out), "--pupils", "6"]
    subprocess.run(words, check=True, cwd=ROOT, capture_output=True)
    return out
