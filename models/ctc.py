"""Reading the output of a CTC network (Graves et al. 2006): the likeliest texts and their probabilities.

Each step of the network says how likely every symbol is there; a text's probability is the sum over all
ways to lay it along the steps, repeats merged and blanks dropped.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Text = tuple[int, ...]

_BEAMS: Final = 8
_LEAST: Final = 1e-3  # symbols rarer than this at a step start no new text
_SURE_BLANK: Final = 0.9995
_HOPELESS: Final = 1e-4  # a text so much rarer than the best one does not catch up
_COUNTED: Final = 3
_PLAIN: Final = 0.998  # the greedy text with so much of the probability leaves nothing to search for


def softmax(logits: NDArray[np.float32], temperature: float) -> NDArray[np.float64]:
    """Probabilities along the last axis of logits divided by a temperature."""
    scaled = logits / np.float32(temperature)
    scaled -= scaled.max(axis=-1, keepdims=True)
    powers = np.exp(scaled).astype(np.float64)
    result: NDArray[np.float64] = powers / powers.sum(axis=-1, keepdims=True)
    return result


def likeliest_texts(steps: NDArray[np.float64]) -> list[tuple[Text, float]]:
    """The likeliest symbol sequences with their probabilities, best first; only one where it is as good as certain.

    `steps` is (steps, classes), rows summing to one, the last class the blank. Steps that are surely blank
    start no new text.
    """
    best = steps.argmax(axis=1).tolist()
    blank = steps.shape[1] - 1
    greedy = tuple(symbol for i, symbol in enumerate(best) if symbol != blank and (i == 0 or best[i - 1] != symbol))
    p = probability_of(greedy, steps)
    if p >= _PLAIN:
        return [(greedy, p)]
    found = _beam_search(steps)
    # The beam loses alignments on its way: what leads is counted anew, whole.
    leading = [(text, probability_of(text, steps)) for text, _ in found[:_COUNTED]]
    return sorted([*leading, *found[_COUNTED:]], key=lambda item: -item[1])


def probability_of(text: Text, steps: NDArray[np.float64]) -> float:
    """The probability of one text: the sum over all its alignments (the forward pass of Graves et al. 2006, 4.1)."""
    blank = steps.shape[1] - 1
    sure = steps[:, blank] > _SURE_BLANK
    # Of a run of sure blanks one step says all, but for their own probability.
    kept = ~sure
    kept[0] = True
    kept[1:] |= ~sure[:-1]
    aside = float(np.prod(steps[~kept, blank]))
    blanks = steps[kept, blank].tolist()
    n = len(text)
    if n == 0:
        return float(np.prod(blanks)) * aside
    repeated = [i > 0 and text[i] == text[i - 1] for i in range(n)]
    # in_blank[i]: i symbols were seen, and a blank after them; in_symbol[i]: symbol i is being seen.
    in_blank, in_symbol = [1.0, *[0.0] * n], [0.0] * n
    for row, p_blank in zip(steps[kept][:, text].tolist(), blanks, strict=True):
        left = 0.0
        for i in range(n):
            here = in_symbol[i]
            in_symbol[i] = (in_blank[i] + here + (0.0 if repeated[i] else left)) * row[i]
            in_blank[i] = (in_blank[i] + left) * p_blank
            left = here
        in_blank[n] = (in_blank[n] + left) * p_blank
    return (in_blank[n] + in_symbol[n - 1]) * aside


def _beam_search(steps: NDArray[np.float64]) -> list[tuple[Text, float]]:
    blank = steps.shape[1] - 1
    # text → (probability of ending in the blank, of ending in its last symbol)
    beams: dict[Text, tuple[float, float]] = {(): (1.0, 0.0)}
    sure = (steps[:, blank] > _SURE_BLANK).tolist()
    rows, likely = steps.tolist(), (steps[:, :blank] > _LEAST)
    for at, row in enumerate(rows):
        p_blank = row[blank]
        if sure[at]:
            beams = {text: ((b + s) * p_blank, 0.0) for text, (b, s) in beams.items()}
            continue
        symbols = np.flatnonzero(likely[at]).tolist()
        found: dict[Text, list[float]] = {}
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
