"""Our recognisers in a process of their own, as the peers are: `python _peer_ours.py CROPS.npz KIND`."""

from __future__ import annotations

import json
import sys
import time

import cv2
import numpy as np

from benchmarks._peers import peak_mb_of
from models.recognisers import KINDS, Recognisers


def main() -> None:
    cv2.setNumThreads(1)
    recognisers = Recognisers.load()
    kind = next(kind for kind in KINDS if kind == sys.argv[2])
    with np.load(sys.argv[1]) as file:
        crops = [file[name] for name in file.files]
    recognisers.read(kind, crops[:1])  # what is done once is not counted
    begun = time.process_time()
    texts = [one.text or "" for crop in crops for one in recognisers.read(kind, [crop])]
    cpu_ms = (time.process_time() - begun) * 1000 / len(crops)
    print(json.dumps({"texts": texts, "cpu_ms": cpu_ms, "peak_mb": peak_mb_of("self")}))


if __name__ == "__main__":
    main()
