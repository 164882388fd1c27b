"""Questions as a teacher types or pastes them: one a line, their kinds guessed, sums worked out.

    一、口算（每题 2 分）            a heading, and the points of what follows
    23×4=    12×4=                  several sums on a line
    17÷2=                           8……1 up to grade 4, 8.5 above; the others are offered
    3 ○ 5                           <
    3 是奇数 (√)                    √ or ×
    最大的是 ____ | C                what stands after | is right; more | for more right answers
    3×5= ( B )  A. 12  B. 15        options become bubbles

Pure, and forgiving: what is not understood becomes a question that the teacher marks. Whether an assignment can be
made of them is `assignment_of`'s to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from homework.answers import RIGHT_MARK, WRONG_MARK, normalise
from homework.arithmetic import Calculated, calculate, compare, has_place, solve
from homework.layout import FieldKind
from homework.written_numbers import clean, parse_number, same_number

MOST_LINES = 400
_LAST_GRADE_OF_REMAINDERS = 4
"""Division with remainder is taught in grades 2 to 4; with decimals from grade 5 on (China's 2022 curriculum)."""

_HEADING = re.compile(r"\s*(?:#+\s*(?P<plain>\S.*)|(?P<numbered>[一二三四五六七八九十]{1,3}\s*[、.．]\s*\S.*))")
_POINTS_EACH = re.compile(r"每[^，,。；;（()）]{0,4}?\s*(\d{1,3}(?:\.5)?)\s*分")
_POINTS_BRACKET = re.compile(r"\s*[（(][^（()）]*分[^（()）]*[)）]")
_POINTS_OF_ITEM = re.compile(r"\s*[（(]\s*(\d{1,3}(?:\.5)?)\s*分\s*[)）]\s*$")
_NUMBERING = re.compile(r"\s*(?:[（(]?\d{1,3}[)）]|\d{1,3}\s*、|\d{1,3}\s*[.．](?=\s|\D)|[①-⑳])\s*(?![-+×÷=<>])")
_OPTION = re.compile(r"(?:(?<=\s)|(?<=[)）_])|^)([A-J])\s*[.．、:：]\s*")
_ANSWER_LINE = re.compile(r"\s*(?:答案|答|answer)\s*[:：]\s*(\S.*)", re.IGNORECASE)
_EXPLANATION_LINE = re.compile(r"\s*(?:解析|解|explanation)\s*[:：]\s*(\S.*)", re.IGNORECASE)
_FILLED_JUDGE = re.compile(r"[（(]\s*([√✓✔×✗✘✕xX对错對錯])\s*[)）]\s*[.。]?\s*$")
_FILLED_LETTERS = re.compile(r"[（(]\s*([A-J]{1,10})\s*[)）]")
_NUMBER_AND_UNIT = re.compile(r"(?P<number>\S.*?)\s*[（(](?P<unit>[^\d（()）]{1,8})[)）]")
_PLACE = re.compile(r"_{2,}|○|[(（][\s_]*[)）]")
_HINTS: dict[str, FieldKind] = {"判断": "judge", "选择": "letter", "填空": "number", "口算": "number", "计算": "number"}
_BUBBLED = ("choice", "choices")


class TypedItem(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One question as a person edits it; all is text.

    `answer`: right answers parted by `|`, those of several places by `;`. `suggestions` are other answers that the
    line could mean, `computed` is what was worked out where the typed answer is another. `more` holds what the
    table of the assignment file says beyond these.
    """

    prompt: str
    kind: FieldKind = "open"
    answer: str = ""
    options: tuple[str, ...] = ()
    section: str = ""
    points: str = "1"
    layer: str = "A"
    knowledge: str = ""
    explanation: str = ""
    suggestions: tuple[str, ...] = ()
    computed: str = ""
    more: dict[str, Any] = {}

    @property
    def unanswered(self) -> bool:
        """Whether it needs an answer and has none."""
        return not self.answer.strip() and self.kind not in ("open", "text")


class _Block(msgspec.Struct):
    """The lines of one question, before it is understood."""

    text: str
    section: str
    points: str
    options: list[str]
    answer: str = ""
    explanation: str = ""


def typed_items(text: str, *, grade: int | None = None, section: str = "") -> tuple[TypedItem, ...]:
    """The questions of a text, in order; `section` is the heading that they continue."""
    return tuple(_understood(block, grade) for block in _blocks(text, section))


def checked(item: TypedItem, *, grade: int | None = None) -> TypedItem:
    """A question after it was edited: a sum is worked out anew, fills an empty answer, stands beside another."""
    if item.kind not in ("number", "compare") or places_in(item.prompt, item.kind) > 1:
        return msgspec.structs.replace(item, suggestions=(), computed="")
    worked = _worked_out(item.prompt, grade)
    if worked is None or worked.kind != item.kind:
        return msgspec.structs.replace(item, suggestions=(), computed="")
    item = msgspec.structs.replace(item, suggestions=worked.suggestions, computed="")
    if not item.answer:
        return msgspec.structs.replace(item, answer=worked.answer)
    given = _given(worked, item.answer)
    return msgspec.structs.replace(item, computed=given.computed)


def places_in(prompt: str, kind: FieldKind) -> int:
    """How many places to write in a prompt has: at least one."""
    return 1 if kind in (*_BUBBLED, "open") else max(1, len(_PLACE.findall(prompt)))


def guessed_kind(prompt: str, answer: str, options: Sequence[str] = (), section: str = "") -> FieldKind:
    """What a pupil most likely does there, by the answer; without one by the prompt and its heading."""
    hint = next((kind for word, kind in _HINTS.items() if word in section), None)
    entries = [entry for entry in re.split(r"[|;；]", answer) if entry.strip()]
    if options:
        letters = [normalise("choices", entry) for entry in entries]
        return "choices" if any(len(entry) > 1 for entry in letters) else "choice"
    if entries:
        kinds = {_kind_of_answer(entry) for entry in entries}
        return kinds.pop() if len(kinds) == 1 else "text"
    if "○" in prompt:
        return "compare"
    if hint is not None and (hint != "number" or has_place(prompt)):
        return hint
    return "number" if has_place(prompt) or prompt.rstrip().endswith(("=", "≈")) else "open"


def _kind_of_answer(answer: str) -> FieldKind:
    if normalise("judge", answer) in (RIGHT_MARK, WRONG_MARK) and clean(answer).lower() not in ("t", "f", "y", "n"):
        return "judge"
    text = clean(answer)
    if text in (">", "<", "="):
        return "compare"
    if re.fullmatch("[A-Z]", text):
        return "letter"
    return "number" if parse_number(text) is not None else "text"


def _blocks(text: str, section: str) -> Iterator[_Block]:
    """The questions' lines put together: options, an answer and an explanation may stand on lines of their own."""
    points, current = "1", None
    for line in text.replace("\ufeff", "").splitlines()[:MOST_LINES]:
        if not line.strip():
            continue
        if heading := _HEADING.fullmatch(line):
            if current is not None:
                yield current
            current = None
            said = (heading["plain"] or heading["numbered"]).strip()
            each = _POINTS_EACH.search(said)
            points = each[1] if each else "1"
            section = _POINTS_BRACKET.sub("", said) or said
            continue
        if current is not None and _continues(line, current):
            continue
        if current is not None:
            yield current
            current = None
        sums = _sums_of(line)
        for part in sums[:-1]:
            yield _Block(part, section, points, [])
        current = _Block(sums[-1], section, points, [])
    if current is not None:
        yield current


def _continues(line: str, block: _Block) -> bool:
    """Whether a line belongs to the question before it; then it is put there."""
    if answer := _ANSWER_LINE.fullmatch(line):
        block.answer = answer[1].strip()
    elif explanation := _EXPLANATION_LINE.fullmatch(line):
        block.explanation = explanation[1].strip()
    elif (found := _options(line)) is not None and not found[0] and found[1] == "ABCDEFGHIJ?"[len(block.options)]:
        block.options += found[2]
    else:
        return False
    return True


def _options(text: str) -> tuple[str, str, list[str]] | None:
    """What stands before the options, the first label, and the options in the order of their labels; None: none."""
    found = list(_OPTION.finditer(text))
    if not found or [m[1] for m in found] != [chr(ord(found[0][1]) + n) for n in range(len(found))]:
        return None
    ends = [m.start() for m in found[1:]] + [len(text)]
    options = [text[m.end() : end].strip(" \t；;，,") for m, end in zip(found, ends, strict=True)]
    return text[: found[0].start()].strip(), found[0][1], options


def _sums_of(line: str) -> list[str]:
    """The questions on one line: several when each of its parts is a sum or a comparison."""
    parts = [part for part in re.split(r"\t+|[ \u00a0]{2,}|\u3000+", line.strip()) if part.strip()]
    plain = [_NUMBERING.sub("", part, count=1) for part in parts]
    if len(parts) > 1 and all(re.search(r"[=≈○]", part) and _worked_out(part, None) is not None for part in plain):
        return plain
    return [line]


def _understood(block: _Block, grade: int | None) -> TypedItem:
    text, answer, points = _parted(block)
    if item_points := _POINTS_OF_ITEM.search(text):
        text, points = text[: item_points.start()], item_points[1]
    text = re.sub(r"□", "____", _NUMBERING.sub("", text, count=1)).strip()
    options = list(block.options)
    if not options and (found := _options(text)) is not None and found[1] == "A" and len(found[2]) > 1 and found[0]:
        text, options = found[0], found[2]
    item = TypedItem(prompt=text, answer=answer, section=block.section, points=points, explanation=block.explanation)
    if options:
        filled = _FILLED_LETTERS.search(text)
        if filled and not answer:
            text, answer = f"{text[: filled.start()]}( ){text[filled.end() :]}", filled[1]
        return msgspec.structs.replace(
            item,
            prompt=text,
            answer=answer,
            options=tuple(options),
            kind=guessed_kind(text, answer, options, block.section),
        )
    worked = _worked_out(text, grade)
    if worked is not None:
        return _with_answer(msgspec.structs.replace(worked, section=item.section, points=item.points), item)
    if not answer and (judged := _FILLED_JUDGE.search(text)):
        text, answer = text[: judged.start()].strip(), normalise("judge", judged[1])
        return msgspec.structs.replace(item, prompt=text, answer=answer, kind="judge")
    return msgspec.structs.replace(item, kind=guessed_kind(text, answer, (), block.section))


def _parted(block: _Block) -> tuple[str, str, str]:
    """Prompt, answer and points of a line: `prompt | answer`, or cells as a spreadsheet copies them."""
    cells = [cell.strip() for cell in block.text.strip().split("\t") if cell.strip()]
    if len(cells) > 1:
        points = cells[2] if len(cells) > 2 and re.fullmatch(r"\d{1,3}(?:\.5)?", cells[2]) else block.points
        return cells[0], block.answer or cells[1], points
    prompt, _, answer = re.sub("｜", "|", block.text).partition("|")
    return prompt.strip(), block.answer or answer.strip(), block.points


def _with_answer(worked: TypedItem, typed: TypedItem) -> TypedItem:
    """What was worked out, with the answer that the teacher gave in its place; another value is remarked on."""
    worked = msgspec.structs.replace(worked, explanation=typed.explanation)
    if not typed.answer:
        return worked
    kind = worked.kind if worked.kind == "compare" else guessed_kind(worked.prompt, typed.answer)
    return _given(msgspec.structs.replace(worked, kind=kind), typed.answer)


def _given(worked: TypedItem, answer: str) -> TypedItem:
    known = (worked.answer, *worked.suggestions)
    agrees = any(
        one == other or same_number(one, other) for one in re.split(r"[|;；]", answer) for other in known if other
    )
    computed = "" if agrees or not worked.answer else worked.answer
    return msgspec.structs.replace(worked, answer=answer, computed=computed)


def _worked_out(text: str, grade: int | None) -> TypedItem | None:
    """A sum, an equation with one empty place, or a comparison, with its answer; None when the text is none."""
    text = re.sub(r"(?<=[\d)）])\s*[*xX]\s*(?=[\d(（])", "×", text.strip())
    folded = clean(text)
    if "○" in folded:
        left, _, right = folded.partition("○")
        sign = compare(left, right)
        return TypedItem(prompt=text, kind="compare", answer=sign) if sign else None
    if related := re.fullmatch(r"([^<>=≈]+)([<>])([^<>=≈]+)", folded):
        sign = compare(related[1], related[3])
        worked = TypedItem(prompt=f"{related[1].strip()} ○ {related[3].strip()}", kind="compare", answer=sign or "")
        return _given(worked, related[2]) if sign else None
    if folded.count("=") != 1:
        found = calculate(folded)
        is_sum = found is not None and re.search(r"[-+×÷*/]", folded[1:]) is not None and "=" not in folded
        return _sum_item(f"{text} =", found, grade) if is_sum and found is not None else None
    left, _, right = folded.partition("=")
    if has_place(left) or has_place(right):
        found = solve(left, right) if right.strip() else None
        # A place that follows the equals sign is the plain sum.
        if found is None or not re.search(r"[-+×÷*/]", left + right):
            return None
        return TypedItem(prompt=text, kind="number", answer=found.texts[0], suggestions=found.texts[1:])
    found = calculate(left)
    if found is None:
        return None
    prompt = text[: re.search("[=＝]", text).end()]  # type: ignore[union-attr]
    worked = _sum_item(prompt, found, grade)
    right = right.strip()
    if not right:
        return worked
    if with_unit := _NUMBER_AND_UNIT.fullmatch(right):
        right = with_unit["number"]
        worked = msgspec.structs.replace(worked, more={"unit": with_unit["unit"].strip()})
    return _given(worked, right) if parse_number(right) is not None else None


def _sum_item(prompt: str, found: Calculated, grade: int | None) -> TypedItem:
    texts = found.texts
    if found.remainder_text is not None:
        with_remainder = grade is None or grade <= _LAST_GRADE_OF_REMAINDERS
        texts = (found.remainder_text, *texts) if with_remainder else (*texts, found.remainder_text)
    return TypedItem(prompt=prompt, kind="number", answer=texts[0], suggestions=texts[1:])
