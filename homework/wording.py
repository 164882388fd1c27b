"""A class report in words: the sentence on top, and the text to copy. Takes the translator, returns text."""

from __future__ import annotations

from collections.abc import Callable

from homework.assignment import Item
from homework.class_report import ClassReport, PupilNote
from homework.grades import GRADE_WORDS, grade_counts, grade_of_pupil
from homework.lateness import Timing
from homework.report_settings import ReportSettings
from homework.results import VerdictKind
from homework.statistics import ItemFigures, PupilFigures, SubmissionStatus

Translate = Callable[[str], str]
STATUS_WORDS: dict[SubmissionStatus, str] = {
    "handed-in": "handed in",
    "late": "handed in late",
    "missing": "not handed in",
    "excused": "on leave",
    "exempt": "exempt",
}
"""Message ids: 已交, 补交, 未交, 请假, 免做."""
VERDICT_SIGNS = {
    VerdictKind.CORRECT: "✓",
    VerdictKind.WRONG: "✗",
    VerdictKind.REVIEW: "?",
    VerdictKind.BLANK: "–",
    VerdictKind.READ: "·",
}
"""The same in every language."""
NO_BREAK = "\u00a0"


def points_text(hundredths: float | None) -> str:
    """A score with at most one decimal: 1720 → 17.2, 1700 → 17."""
    if hundredths is None:
        return "–"
    return f"{hundredths / 100:.1f}".removesuffix(".0")


def counted(_: Translate, n: int, one: str, many: str) -> str:
    """`many` filled in, or `one` when there is one of it."""
    return _(one if n == 1 else many).format(n=n)


def percent(part: int, whole: int) -> int:
    """A whole percentage, 0 for nothing of nothing."""
    return round(100 * part / whole) if whole else 0


def item_label(item_id: str, item: Item | None) -> str:
    """What the sheet prints beside the item."""
    return item.label if item is not None and item.label else item_id


def headline(report: ClassReport, _: Translate) -> str:
    """The class in one line: 45 人，交 41，平均 17.2，优秀率 63 %，3 题要再讲; with grades: …，优 20，良 12，….

    Where some need not hand in, it says that the number is of the others: 应交 44 人，交 41.
    """
    figures = report.figures
    if figures.expected == len(figures.pupils):
        parts = [counted(_, figures.expected, "{n} pupil", "{n} pupils")]
    else:
        parts = [counted(_, figures.expected, "{n} pupil expected", "{n} pupils expected")]
    if figures.handed_in == 0:
        return _(", ").join([*parts, _("nobody has handed in yet")])
    parts.append(_("{n} handed in").format(n=figures.handed_in))
    if figures.settled:
        parts += _standing(report, _)
    reteach = len(report.reteach)
    if figures.settled or reteach:
        parts.append(
            counted(_, reteach, "{n} item to teach again", "{n} items to teach again")
            if reteach
            else _("nothing to teach again")
        )
    return _(", ").join(parts)


def _standing(report: ClassReport, _: Translate) -> list[str]:
    """How well it went, in the school's own measure."""
    figures = report.figures
    if report.settings.marks == "grades":
        counts = grade_counts(figures.pupils, report.settings.scale)
        return [f"{_(GRADE_WORDS[grade])} {n}" for grade, n in counts.items()]
    mean = points_text(figures.mean_hundredths)
    return [
        # Of some of the sheets it may be anything: it says of how many it is while others wait for a look.
        _("mean {mean} (of {n} finished)").format(mean=mean, n=figures.settled)
        if figures.unsettled
        else _("mean {mean}").format(mean=mean),
        _in_one_line(_("{n} % excellent").format(n=percent(figures.excellent_n, figures.settled))),
    ]


def _in_one_line(words: str) -> str:
    """The same, but that no line ends between a share and its sign."""
    return words.replace(" %", f"{NO_BREAK}%")


def details(report: ClassReport, _: Translate) -> tuple[str, ...]:
    """What stands below the line on top: the other rates, the range, what is still to be looked at."""
    figures = report.figures
    unsettled = (
        [_("sheets with answers still to look at: {n}").format(n=figures.unsettled)] if figures.unsettled else []
    )
    if not figures.settled or report.settings.marks == "grades":
        return tuple(unsettled)  # a mean of nothing is not shown; why there is none, is
    lines = []
    if report.max_score_hundredths:
        lines.append(_("out of {points} points").format(points=points_text(report.max_score_hundredths)))
    lines += [
        _in_one_line(_(words).format(percent=percent(n, figures.settled), n=n))
        for words, n in (("{percent} % pass ({n})", figures.passing_n), ("{percent} % low ({n})", figures.low_n))
    ]
    lines.append(
        _("highest {high}, lowest {low}").format(
            high=points_text(figures.highest_hundredths), low=points_text(figures.lowest_hundredths)
        )
    )
    return (*lines, *unsettled)


def correct_of(figures: ItemFigures, _: Translate) -> str:
    """27/45 人对."""
    return _("{correct}/{n} right").format(correct=figures.correct, n=figures.n)


def score_text(pupil: PupilFigures, settings: ReportSettings, _: Translate) -> str:
    """17 / 20, or with grades 优; empty while there is none."""
    if settings.marks == "grades":
        grade = grade_of_pupil(pupil, settings.scale)
        return _(GRADE_WORDS[grade]) if grade is not None else ""
    if pupil.score_hundredths is None:
        return ""
    return f"{points_text(pupil.score_hundredths)} / {points_text(pupil.max_score_hundredths)}"


def called(name: str, _: Translate) -> str:
    """A pupil's name; one that nobody knows goes by the seat or the pseudonym's beginning."""
    return _("seat {seat}").format(seat=name[1:]) if name.startswith("#") else name


def untimed_notice(report: ClassReport, _: Translate) -> tuple[str, str]:
    """Of whom nobody can tell whether they handed in in time: what is so, and what to do."""
    return (
        _("When these sheets were slid is not known, so nobody is called late: {n}.").format(n=len(report.untimed)),
        _(
            "The box did not know the time. Leave it switched on until it has had the internet: "
            "then it tells when each was slid."
        ),
    )


def timing_text(pupil: PupilFigures, note: PupilNote, _: Translate) -> str:
    """补交, or 时间不详; empty for who came in time, or where nothing is due."""
    if pupil.status == "late":
        return _(STATUS_WORDS["late"])
    return _("not known when") if note.timing is Timing.UNKNOWN else ""


def report_text(report: ClassReport, _: Translate) -> str:
    """The report to paste into a message: no names and no scores, only seat numbers of who is missing."""
    lines = [f"{report.class_name} · {report.title}", headline(report, _)]
    knowledge: dict[str, None] = {}
    for item in report.figures.items:
        if item.reteach:
            about = report.assignment.item(item.item) if report.assignment else None
            prompt = f" {about.prompt}" if about else ""
            knowledge |= dict.fromkeys(about.knowledge if about else ())
            lines.append(f"  {item_label(item.item, about)}{prompt}  {correct_of(item, _)}")
    if knowledge:
        lines.append(_("To practise: {what}").format(what=_(", ").join(knowledge)))
    seats = [p.seat for p in report.figures.pupils if p.status == "missing" and p.seat is not None]
    if seats and report.figures.handed_in:
        lines.append(_("Not handed in: seats {seats}").format(seats=_(", ").join(f"{s:02d}" for s in seats)))
    return "\n".join(lines)


def report_text_by_name(report: ClassReport, _: Translate) -> str:
    """The same with every pupil's name and score below, for a teacher who asks for that."""
    lines = [report_text(report, _), ""]
    for pupil in report.figures.pupils:
        seat = f"{pupil.seat:02d} " if pupil.seat is not None else ""
        word = _(STATUS_WORDS[pupil.status]) if pupil.status in ("missing", "excused", "exempt") else ""
        if not word:
            word = score_text(pupil, report.settings, _) if pupil.rate is not None else _("not finished")
        lines.append(f"{seat}{called(pupil.name, _)}  {word}")
    return "\n".join(lines)
