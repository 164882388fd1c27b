"""Takes the README's pictures from a running demo: `make pictures`."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import pypdfium2
from playwright.sync_api import Page, sync_playwright

PICTURES = Path(__file__).resolve().parent / "pictures"
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium-headless-shell"
OPTIONS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
DESKTOP = {"width": 1366, "height": 900}
PHONE = {"width": 390, "height": 844}
WAIT_S = 600


def shoot(page: Page, address: str, name: str, *, size: dict[str, int], language: str, whole: bool = False) -> None:
    """One screenshot into `docs/pictures/`."""
    page.set_viewport_size(size)
    page.goto(f"{address}?language={language}")
    page.wait_for_timeout(1500)
    page.screenshot(path=PICTURES / f"{name}.png", full_page=whole)
    print(f"{name}.png")


def paper(out: Path) -> None:
    """The worksheet as printed beside a photo of one that was filled in and graded."""
    scan = pypdfium2.PdfDocument(out / "sheets" / "worksheets.pdf")[0].render(scale=1.4).to_numpy()[:, :, :3]
    photo = max((out / "box").rglob("*.jpg"), key=lambda path: path.stat().st_mtime)
    with tempfile.TemporaryDirectory() as folder:
        tool = Path(sys.executable).parent / "classbox"
        words = [photo, "--layout", out / "sheets" / "layout.json", "--assignment", out / "sheets" / "assignment.toml"]
        subprocess.run([tool, "grade", *words, "--annotate", folder], check=True, stdout=subprocess.DEVNULL)
        marked = cv2.imread(str(next(Path(folder).iterdir())))
    assert marked is not None
    height = scan.shape[0]
    marked = cv2.resize(
        marked, (round(marked.shape[1] * height / marked.shape[0]), height), interpolation=cv2.INTER_AREA
    )
    gap = np.full((height, 24, 3), 255, np.uint8)
    cv2.imwrite(str(PICTURES / "sheet.jpg"), np.hstack([scan, gap, marked]), [cv2.IMWRITE_JPEG_QUALITY, 82])
    print("sheet.jpg")


def main() -> None:
    """Run the demo, take the pictures, end the demo."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "demo"
        words = [sys.executable, "-m", "edge.demo", "--out", str(out), "--pace", "2"]
        demo = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        try:
            assert demo.stdout is not None
            urls: list[str] = []
            for line in demo.stdout:
                urls += re.findall(r"http://\S+", line)
                if len(urls) == 2:
                    break
            live, gate = urls
            truth, end = out / "truth.jsonl", time.monotonic() + WAIT_S
            with sync_playwright() as player:
                browser = player.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
                page = browser.new_page(device_scale_factor=1)
                while not truth.exists() or len(truth.read_text(encoding="utf-8").splitlines()) < 31:
                    assert time.monotonic() < end
                    time.sleep(0.5)
                shoot(page, live, "live-page", size=DESKTOP, language="zh-CN")
                shoot(page, live, "live-page-phone-en", size=PHONE, language="en")
                while not (out / "summary.json").exists():
                    assert time.monotonic() < end
                    time.sleep(0.5)
                page.goto(gate)
                report = page.locator("main a").first.get_attribute("href")
                shoot(page, gate.rstrip("/") + str(report), "class-report", size=DESKTOP, language="zh-CN")
                shoot(page, gate.rstrip("/") + str(report), "class-report-phone-en", size=PHONE, language="en")
                browser.close()
            paper(out)
        finally:
            demo.terminate()
            demo.wait(timeout=30)


if __name__ == "__main__":
    main()
