"""How a school wants its reports: where the lines are drawn, and points or 等第. Pure: checks and text forms."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Literal

import msgspec

from homework.errors import BadFileError, ClassboxError, UsageError
from homework.grades import GradeScale
from homework.statistics import Thresholds

Marks = Literal["points", "grades"]
LINE_FIELDS = ("excellent", "passing", "low", "reteach")
GRADE_FIELDS = ("grade_excellent", "grade_good", "grade_passing")
FIELDS = (*LINE_FIELDS, *GRADE_FIELDS)
"""The numbers of the settings by the names that a form gives them; all are percent."""

_WHOLE = "Write a whole number from {lowest} to {highest}."


class ReportSettings(msgspec.Struct, frozen=True, gc=False, kw_only=True, forbid_unknown_fields=True):
    """Lines in percent, and what a pupil's work is called: a score, or one of four words."""

    thresholds: Thresholds = Thresholds()
    marks: Marks = "points"
    scale: GradeScale = GradeScale()


class SettingsError(ClassboxError):
    """Settings that cannot be; `problems` says by field what is wrong and what to do."""

    def __init__(self, problems: Mapping[str, ClassboxError]) -> None:
        first = next(iter(problems.values()))
        super().__init__(first.message, remedy=first.remedy)
        self.problems = dict(problems)

    def __reduce__(self) -> tuple[type[SettingsError], tuple[dict[str, ClassboxError]]]:
        return SettingsError, (self.problems,)


def as_form(settings: ReportSettings) -> dict[str, str]:
    """The settings as the fields of a form."""
    lines, scale = settings.thresholds, settings.scale
    numbers = {name: getattr(lines, name) for name in LINE_FIELDS}
    numbers |= {f"grade_{name}": getattr(scale, name) for name in ("excellent", "good", "passing")}
    return {**{name: str(number) for name, number in numbers.items()}, "marks": settings.marks}


def settings_from_form(form: Mapping[str, str]) -> ReportSettings:
    """The settings that a person typed. Full-width digits and a percent sign are understood.

    Raises `SettingsError` with a word for every field that is wrong.
    """
    problems: dict[str, ClassboxError] = {}
    numbers: dict[str, int] = {}
    for name in FIELDS:
        number = _whole(form.get(name, ""))
        # 0 or 100 for the line of an item would flag none or all of them: that is no line.
        lowest, highest = (1, 99) if name == "reteach" else (0, 100)
        if number is None or not lowest <= number <= highest:
            problems[name] = UsageError(
                "This is no percentage that can be used.", remedy=_WHOLE, lowest=lowest, highest=highest
            )
        else:
            numbers[name] = number
    for lower, upper, equal in (
        ("low", "passing", True),
        ("passing", "excellent", True),
        ("grade_passing", "grade_good", False),
        ("grade_good", "grade_excellent", False),
    ):
        if lower in numbers and upper in numbers:
            fits = numbers[lower] < numbers[upper] or (equal and numbers[lower] == numbers[upper])
            if not fits:
                problems[lower] = UsageError(
                    "This line lies above the next better one.",
                    remedy="Write less than {limit}, or raise the other.",
                    limit=numbers[upper] + equal,
                )
    marks = form.get("marks", "points")
    if marks not in ("points", "grades"):
        problems["marks"] = UsageError("Points or grades?", remedy="Choose one of the two.")
    if problems:
        raise SettingsError(problems)
    return ReportSettings(
        thresholds=Thresholds(
            excellent=numbers["excellent"], passing=numbers["passing"], low=numbers["low"], reteach=numbers["reteach"]
        ),
        marks="grades" if marks == "grades" else "points",
        scale=GradeScale(**{name.removeprefix("grade_"): numbers[name] for name in GRADE_FIELDS}),
    )


def settings_to_json(settings: ReportSettings) -> str:
    """One line of text to keep."""
    return msgspec.json.encode(settings).decode()


def settings_from_json(text: str | None) -> ReportSettings:
    """The settings that were kept; the usual ones where there are none, or none that can be."""
    try:
        # Of another version, or typed into the file by hand: a report in the usual form beats none.
        return ReportSettings() if text is None else checked_settings(text)
    except (BadFileError, SettingsError):
        return ReportSettings()


def checked_settings(text: str) -> ReportSettings:
    """The settings that `settings_to_json` wrote. Raises `BadFileError` or `SettingsError` for what cannot be."""
    try:
        found = _SETTINGS.decode(text)
    except msgspec.MsgspecError as error:
        raise BadFileError("These are no settings of reports.", remedy="Choose them again.") from error
    settings_from_form(as_form(found))
    return found


# Made once: msgspec (0.22) works a type out at its first use, and two threads that do so at once crash the process.
_SETTINGS = msgspec.json.Decoder(ReportSettings)


def _whole(text: str) -> int | None:
    digits = unicodedata.normalize("NFKC", text).strip().removesuffix("%").strip()
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 3 else None
