"""Run under a Python of its own that holds RapidOCR: `python _peer_rapidocr.py CROPS.npz KIND`. Knows nothing of us."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
from rapidocr_onnxruntime import RapidOCR  # type: ignore[import-not-found,unused-ignore]


def main() -> None:
    reader = RapidOCR(intra_op_num_threads=1, inter_op_num_threads=1)
    with np.load(sys.argv[1]) as file:
        crops = [file[name] for name in file.files]
    reader(crops[0], use_det=False, use_cls=False, use_rec=True)  # what is done once is not counted
    texts = []
    begun = time.process_time()
    for crop in crops:
        found, _ = reader(crop, use_det=False, use_cls=False, use_rec=True)
        texts.append(found[0][0] if found else "")
    cpu_ms = (time.process_time() - begun) * 1000 / len(crops)
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    peak_mb = int(status.split("VmHWM:")[1].split()[0]) / 1024
    print(json.dumps({"texts": texts, "cpu_ms": cpu_ms, "peak_mb": peak_mb}))


if __name__ == "__main__":
    main()
