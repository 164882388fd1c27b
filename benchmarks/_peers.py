"""Getting the peers, for this run only, and letting each read a folder of crops in a process of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from edge.frames import Image

LIMIT_S = 900
WORKERS = Path(__file__).resolve().parent


class NotInstalledError(Exception):
    """A peer that is not here and cannot be got; the message says why."""


@dataclass(frozen=True)
class Said:
    """What a peer read in some crops, in their order. `cpu_ms` is for one crop, `peak_mb` the process's most."""

    texts: list[str]
    cpu_ms: float
    peak_mb: float


@dataclass(frozen=True)
class Tesseract:
    """The command, what its environment needs, and a word on where it comes from."""

    command: Path
    environment: dict[str, str]
    origin: str

    def read(self, crops: Sequence[Image], signs: str, folder: Path) -> Said:
        """One process, a list of pictures, each taken as one line of `signs`; starting up is not counted.

        Black and white by Otsu's threshold: the best for it of what was tried (as they are, stretched, cut tight, twice
        as large). RapidOCR did best on the crops as they are.
        """
        names = [folder / f"{n:05}.png" for n in range(len(crops))]
        for name, crop in zip(names, crops, strict=True):
            _, black = cv2.threshold(cv2.GaussianBlur(crop, (3, 3), 0), 0, 255, cv2.THRESH_OTSU)
            cv2.imwrite(str(name), black)
        _, started_ms, _ = self._run(names[:1], signs, folder)
        texts, spent_ms, peak_mb = self._run(names, signs, folder)
        return Said(texts, max(spent_ms - started_ms, 0.0) / max(len(names) - 1, 1), peak_mb)

    def _run(self, names: Sequence[Path], signs: str, folder: Path) -> tuple[list[str], float, float]:
        listed = folder / "list.txt"
        listed.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
        command = [str(self.command), str(listed), str(folder / "said"), "--psm", "7", "--dpi", "203"]
        command += ["-c", f"tessedit_char_whitelist={signs}"]
        environment = {**os.environ, **self.environment, "OMP_THREAD_LIMIT": "1"}
        peak_mb = 0.0
        with subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            ended, status, usage = 0, 0, None
            while not ended:
                time.sleep(0.005)
                peak_mb = max(peak_mb, peak_mb_of(process.pid))
                ended, status, usage = os.wait4(process.pid, os.WNOHANG)
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0 or usage is None:
            raise NotInstalledError(f"tesseract ended with {process.returncode}")
        pages = (folder / "said.txt").read_text(encoding="utf-8").split("\f")[: len(names)]
        return pages, (usage.ru_utime + usage.ru_stime) * 1000, peak_mb


def peak_mb_of(process: int | str) -> float:
    """The most memory that a process has held since it began its program; 0 when it has ended.

    `getrusage` would count what the process that started it held: a child begins as its copy.
    """
    try:
        status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    except OSError:
        return 0.0
    peak = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    return int(peak[1]) / 1024 if peak else 0.0


def find_tesseract(folder: Path) -> Tesseract:
    """The one that is installed; else Debian's packages, unpacked into `folder` and installed nowhere.

    Raises `NotInstalledError`.
    """
    for path in os.environ.get("PATH", "").split(os.pathsep):
        if (Path(path) / "tesseract").exists():
            return Tesseract(Path(path) / "tesseract", {}, "installed here")
    wanted = _run(["apt-get", "install", "--simulate", "--no-install-recommends", "tesseract-ocr"], folder)
    packages = re.findall(r"^Inst (\S+)", wanted, re.MULTILINE)
    _run(["apt-get", "download", *packages], folder)
    root = folder / "root"
    for package in sorted(folder.glob("*.deb")):
        _run(["dpkg", "-x", str(package), str(root)], folder)
    libraries = sorted({str(path.parent) for path in root.rglob("*.so*")})
    data = next(iter(root.rglob("eng.traineddata")), None)
    command = root / "usr" / "bin" / "tesseract"
    if data is None or not command.exists():
        raise NotInstalledError("Debian's packages of tesseract-ocr did not hold what they should")
    environment = {"LD_LIBRARY_PATH": os.pathsep.join(libraries), "TESSDATA_PREFIX": str(data.parent)}
    return Tesseract(command, environment, "Debian's packages, unpacked for this run")


def python_with(package: str, folder: Path) -> Path:
    """The Python of a new environment that holds `package`, to be thrown away. Raises `NotInstalledError`."""
    _run([sys.executable, "-m", "venv", str(folder)], folder.parent)
    python = folder / "bin" / "python"
    _run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", package], folder)
    return python


def read_elsewhere(python: Path, worker: str, crops: Sequence[Image], kind: str, folder: Path) -> Said:
    """What `worker` (a script beside this file) reads under that Python. It prints one JSON object."""
    file = folder / "crops.npz"
    np.savez(file, *crops)
    said = json.loads(_run([str(python), str(WORKERS / worker), str(file), kind], WORKERS.parent).splitlines()[-1])
    return Said(said["texts"], said["cpu_ms"], said["peak_mb"])


def _run(command: Sequence[str], folder: Path) -> str:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(WORKERS.parent), "LC_ALL": "C.UTF-8"}
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=True, timeout=LIMIT_S
        )
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip().splitlines() or ["no message"])[-1]
        raise NotInstalledError(f"{Path(command[0]).name} failed: {last}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotInstalledError(f"{Path(command[0]).name} could not run: {error}") from error
    return done.stdout
