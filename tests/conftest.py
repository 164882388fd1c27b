"""A printed, filled-in and scanned class, made once: what the tests of running programs work on."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def scanned_class(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`sheets/` as `classbox print` writes them, `roster.csv` of 6 pupils, `scans/01.jpg` … `06.jpg`."""
    out = tmp_path_factory.mktemp("class")
    words = [sys.executable, "-m", "benchmarks._scans", str(out), "--pupils", "6"]
    subprocess.run(words, check=True, cwd=ROOT, capture_output=True)
    return out
