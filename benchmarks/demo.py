"""The main job as a whole: sheets a minute, and how right, against what the simulated class truly wrote."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

CLASS_SIZE, QUICK_SIZE = 45, 6


def main() -> int:
    """Run the demo once and pass its figures on."""
    size = QUICK_SIZE if "--quick" in sys.argv else CLASS_SIZE
    with tempfile.TemporaryDirectory() as folder:
        words = ["--once", "--json", "--class-size", str(size), "--out", str(Path(folder) / "demo")]
        return subprocess.run([sys.executable, "-m", "edge.demo", *words], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
