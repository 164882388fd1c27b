"""How right a graded class is, against what the simulated pupils truly wrote.

Pages are matched to the truth by their order and by what was read on them, never by whose they are said to be, so
that a page booked to the wrong pupil is seen as such.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from homework.answers import normalise
from homework.layout import FieldKind

Row = Mapping[str, Any]


def score_class(truths: Sequence[Row], pages: Sequence[Row]) -> dict[str, Any]:
    """Counts over a class. `truths` are the simulated camera's lines, `pages` those of `classbox export --json`.

    `items` fields were judged or asked; `right` were read as written, `asked` went to review, `silently_wrong` were
    read otherwise and not asked, `false_ticks` of them were marked correct. `for_the_teacher` fields (open, text)
    are counted apart. `wrong_pupil` pages stand under somebody else's name, `unnamed` under nobody's.
    """
    counts: Counter[str] = Counter()
    by_kind: dict[str, Counter[str]] = {}
    for truth, page in aligned(truths, pages):
        counts["matched"] += 1
        if page["pupil"] is None:
            counts["unnamed"] += 1
        elif page["pupil"] != truth["pupil"]:
            counts["wrong_pupil"] += 1
        for written, said in _fields(truth, page):
            if written["text"] is None:
                counts["for_the_teacher"] += 1
                continue
            outcome = _outcome(written, said)
            kind = by_kind.setdefault(written["kind"], Counter())
            for counter in (counts, kind):
                counter["items"] += 1
                counter[outcome] += 1
                if outcome == "silently_wrong" and said["verdict"] == "correct":
                    counter["false_ticks"] += 1
    names = ("items", "right", "asked", "silently_wrong", "false_ticks")
    return {
        **{name: counts[name] for name in (*names, "for_the_teacher", "matched", "wrong_pupil", "unnamed")},
        "kinds": [{"name": kind, **{name: by_kind[kind][name] for name in names}} for kind in sorted(by_kind)],
    }


def misread(truths: Sequence[Row], pages: Sequence[Row]) -> list[dict[str, Any]]:
    """The fields that were silently misread, one row each, for a person to look at."""
    return [
        {
            "page": page.get("source"),
            "capture": page.get("capture"),
            "pupil": truth["pupil"],
            "item": written["item"],
            "blank": written["blank"],
            "how": written["how"],
            "written": written["text"],
            "read": said["reading"],
            "confidence": said["confidence"],
        }
        for truth, page in aligned(truths, pages)
        for written, said in _fields(truth, page)
        if written["text"] is not None and _outcome(written, said) == "silently_wrong"
    ]


def _fields(truth: Row, page: Row) -> list[tuple[Row, Row]]:
    said = {(item["item"], item["blank"]): item for item in page["items"]}
    return [(f, said[f["item"], f["blank"]]) for f in truth["fields"] if (f["item"], f["blank"]) in said]


def _outcome(written: Row, said: Row) -> str:
    if said["verdict"] == "review":
        return "asked"
    kind: FieldKind = written["kind"]
    same = said["reading"] is not None and normalise(kind, said["reading"]) == normalise(kind, written["text"])
    return "right" if same else "silently_wrong"


def _alike(truth: Row, page: Row) -> float:
    """The share of fields that read as they were written; 0 for another sheet or page."""
    if (truth["sheet"], truth["page"]) != (page["sheet"], page["page"]):
        return 0.0
    pairs = [(written, said) for written, said in _fields(truth, page) if written["text"] is not None]
    return sum(_outcome(written, said) == "right" for written, said in pairs) / max(1, len(pairs))


def aligned(truths: Sequence[Row], pages: Sequence[Row]) -> list[tuple[Row, Row]]:
    """Each sheet with its page: the best matching in order (Needleman and Wunsch 1970, gaps cost nothing)."""
    stack = sorted(truths, key=lambda t: t["place"])
    seen = sorted(pages, key=lambda p: p["captured_at_ms"])
    alike = [[0.05 + _alike(t, p) for p in seen] for t in stack]
    best = [[0.0] * (len(seen) + 1) for _ in range(len(stack) + 1)]
    for i, row in enumerate(alike):
        for j, value in enumerate(row):
            best[i + 1][j + 1] = max(best[i][j] + value, best[i][j + 1], best[i + 1][j])
    pairs: list[tuple[Row, Row]] = []
    i, j = len(stack), len(seen)
    while i and j:
        if best[i][j] == best[i - 1][j]:
            i -= 1
        elif best[i][j] == best[i][j - 1]:
            j -= 1
        else:
            i, j = i - 1, j - 1
            pairs.append((stack[i], seen[j]))
    return pairs[::-1]
