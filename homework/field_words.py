"""What codes of a field are called on the pages: English message ids, translated where they are shown."""

from __future__ import annotations

from homework.results import Doubt, Stamp

DOUBT_WORDS = {
    Doubt.UNSURE: "Hard to read",
    Doubt.INK_BESIDE: "Written beside the box",
    Doubt.TWO_MARKS: "Two marks",
    Doubt.FAINT_MARK: "A faint mark",
    Doubt.CANCELLED: "Crossed out",
    Doubt.NOT_HANDWRITING: "Not a written answer",
    Doubt.NOT_A_NUMBER: "Not a number",
    Doubt.FOR_THE_TEACHER: "For you to mark",
    Doubt.MIXED_INKS: "In a grey scan your marks and the pupil's ink look alike",
}
STAMP_WORDS = {
    Stamp.EXCELLENT: "excellent",
    Stamp.GOOD: "good",
    Stamp.SEEN: "seen",
    Stamp.KEEP_GOING: "keep going",
}
KIND_WORDS = {
    "choice": "one bubble",
    "choices": "several bubbles",
    "judge": "√ or ×",
    "letter": "a letter",
    "number": "a number",
    "compare": ">, < or =",
    "open": "you mark it",
    "text": "words",
}
