"""Reading the output of a CTC network (Graves et al. 2006): prefix beam search over texts.

Each step of the network says how likely every symbol is there; a text's probability is the sum over all
ways to lay it along the steps, repeats merged and blanks dropped.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

_BEAMS: Final = 8
_LEAST: Final = 1e-3  # symbols rarer than this at a step start no new text
_SURE_BLANK: Final = 0.9995
_HOPELESS: Final = 1e-4  # a text so much rarer than the best one does not catch up


def softmax(logits: NDArray[np.float32], temperature: float) -> NDArray[np.float64]:
    """Probabilities along the last axis of logits divided by a temperature."""
    scaled = logits.astype(np.float64) / temperature
    scaled -= scaled.max(axis=-1, keepdims=True)
    powers = np.exp(scaled)
    result: NDArray[np.float64] = powers / powers.sum(axis=-1, keepdims=True)
    return result


def likeliest_texts(steps: NDArray[np.float64]) -> list[tuple[tuple[int, ...], float]]:
    """The likeliest symbol sequences with their probabilities, best first.

    `steps` is (steps, classes), rows summing to one, the last class the blank. Steps that are surely blank
    start no new text.
    """
    blank = steps.shape[1] - 1
    # text → (probability of ending in the blank, of ending in its last symbol)
    beams: dict[tuple[int, ...], tuple[float, float]] = {(): (1.0, 0.0)}
    sure = (steps[:, blank] > _SURE_BLANK).tolist()
    rows, likely = steps.tolist(), (steps[:, :blank] > _LEAST)
    for at, row in enumerate(rows):
        p_blank = row[blank]
        if sure[at]:
            beams = {text: ((b + s) * p_blank, 0.0) for text, (b, s) in beams.items()}
            continue
        symbols = np.flatnonzero(likely[at]).tolist()
        found: dict[tuple[int, ...], list[float]] = {}
        for text, (in_blank, in_symbol) in beams.items():
            total = in_blank + in_symbol
            here = found.setdefault(text, [0.0, 0.0])
            here[0] += total * p_blank
            if text:
                here[1] += in_symbol * row[text[-1]]
            for symbol in symbols:
                longer = found.setdefault((*text, symbol), [0.0, 0.0])
                longer[1] += (in_blank if text and text[-1] == symbol else total) * row[symbol]
        best = sorted(found.items(), key=lambda item: -(item[1][0] + item[1][1]))[:_BEAMS]
        floor = (best[0][1][0] + best[0][1][1]) * _HOPELESS
        beams = {text: (b, s) for text, (b, s) in best if b + s >= floor}
    return sorted(((text, b + s) for text, (b, s) in beams.items()), key=lambda item: -item[1])
