"""Questions as they are edited, and the assignment that they make; pure.

A draft is what a person has on the screen: everything is text and may be wrong. `assignment_of` checks it by the
same rules as an assignment file, and says in a person's words what is missing.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec

from homework.assignment import MAX_BLANKS, Assignment, Item, assignment_from_tables, letters_of
from homework.errors import BadFileError
from homework.results import points as points_of
from homework.typed_items import TypedItem, guessed_kind, places_in, typed_items

_TABLE_COLUMNS = {
    "prompt": ("题目", "题干", "问题", "prompt", "question"),
    "answer": ("答案", "参考答案", "正确答案", "answer", "key"),
    "points": ("分值", "分数", "得分", "points", "score"),
    "kind": ("题型", "类型", "kind", "type"),
    "knowledge": ("知识点", "考点", "knowledge"),
    "explanation": ("解析", "详解", "explanation"),
    "options": ("选项", "options"),
    "section": ("大题", "标题", "section"),
    "layer": ("层次", "layer"),
}
TABLE_HEADER = ("大题", "题目", "答案", "分值", "题型", "选项", "知识点", "解析")
_KIND_WORDS = {
    "choice": ("单选", "单选题", "选择", "选择题", "choice"),
    "choices": ("多选", "多选题", "choices"),
    "judge": ("判断", "判断题", "judge", "true/false"),
    "letter": ("字母", "选字母", "letter"),
    "number": ("填数", "口算", "计算", "计算题", "填空", "填空题", "数", "number"),
    "compare": ("比较", "比大小", "compare"),
    "open": ("解答", "解答题", "应用题", "解决问题", "主观题", "open"),
    "text": ("文字", "填词", "text"),
}
_OWN = ("kind", "prompt", "answer", "options", "section", "points", "layer", "knowledge", "explanation")
_CHANGEABLE = ("rule", "points_hundredths", "layer", "knowledge", "explanation", "video")


class Head(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What a draft says of the whole homework; "" where nothing is said. `due` is an ISO time with offset."""

    title: str = ""
    grade: str = ""
    due: str = ""
    paper: str = "A4"
    mode: str = "homework"
    pupil_id: str = "digits"
    columns: str = ""
    minutes: str = ""
    subject: str = ""
    correction_space: bool = False


def assignment_of(head: Head, items: Sequence[TypedItem], *, assignment_id: str = "") -> Assignment:
    """The assignment of a draft. Raises `BadFileError` that names the question and says what to do."""
    if not items:
        raise BadFileError("There is no question yet.", remedy="Type or paste some, one on each line.")
    if not head.title.strip():
        raise BadFileError("The homework has no name.", remedy="Write one, like: 第三单元 口算.")
    about: dict[str, Any] = {"title": head.title.strip(), "paper": head.paper, "mode": head.mode}
    about |= {"pupil_id": head.pupil_id, "correction_space": head.correction_space}
    about |= {"due": head.due.strip()} if head.due.strip() else {}
    about |= {"subject": head.subject} if head.subject else {}
    for key in ("grade", "columns", "minutes"):
        text = getattr(head, key).strip()
        if text:
            if not re.fullmatch(r"[0-9]{1,4}", text):
                raise BadFileError("`{text}` is no number.", remedy="Write a whole number there.", text=text)
            about[key] = int(text)
    if assignment_id:
        about["id"] = assignment_id
    ids = _ids(items)
    tables = [_table(item, name) for item, name in zip(items, ids, strict=True)]
    return assignment_from_tables({"assignment": about, "item": tables})


def draft_of(assignment: Assignment) -> tuple[Head, tuple[TypedItem, ...]]:
    """An assignment as it is edited. `assignment_of` makes the same one of it."""
    head = Head(
        title=assignment.title,
        grade=_text(assignment.grade),
        due=assignment.due or "",
        paper=assignment.paper,
        mode=assignment.mode,
        pupil_id=assignment.pupil_id,
        columns=_text(assignment.columns),
        minutes=_text(assignment.minutes),
        subject=assignment.subject,
        correction_space=assignment.correction_space,
    )
    return head, tuple(_typed(item) for item in assignment.items)


def same_paper(old: Assignment, new: Assignment) -> bool:
    """Whether sheets that were printed for `old` can be graded by `new`: the same places, asking the same.

    Answers, points, layers, explanations, the title and the day may differ; a question, its kind or its place not.
    """
    shape = ("paper", "pupil_id", "columns", "correction_space", "grade")
    if any(getattr(old, key) != getattr(new, key) for key in shape) or len(old.items) != len(new.items):
        return False
    keys = [key for key in Item.__struct_fields__ if key not in (*_CHANGEABLE, "section")]
    rules = ("kind", "unit", "unit_written")
    return _headings(old) == _headings(new) and all(
        all(getattr(one, key) == getattr(other, key) for key in keys)
        and all(getattr(one.rule, key) == getattr(other.rule, key) for key in rules)
        for one, other in zip(old.items, new.items, strict=True)
    )


def _headings(assignment: Assignment) -> list[str | None]:
    """The heading over each item: an item that names none stands under the one before it."""
    headings: list[str | None] = []
    for item in assignment.items:
        headings.append(item.section or (headings[-1] if headings else None))
    return headings


def items_of_table(rows: Sequence[Sequence[str]]) -> tuple[TypedItem, ...]:
    """The questions of a table with a header (题目, 答案, 分值, 题型, 知识点, 解析; or English), one a row.

    Without a header the first column is the question and the second its answer. What a cell does not say is worked
    out or guessed, as for typed lines.
    """
    filled = [row for row in rows if any(cell.strip() for cell in row)]
    if not filled:
        raise BadFileError("The table is empty.", remedy="Write one question in each row under the header.")
    columns = _columns(filled[0])
    if "prompt" in columns:
        filled = filled[1:]
    else:
        columns = {"prompt": 0, "answer": 1}
    if not filled:
        raise BadFileError("The table has no questions.", remedy="Write one question in each row under the header.")
    items: list[TypedItem] = []
    section = ""
    for row in filled:
        cells = {name: row[at].strip() if at < len(row) else "" for name, at in columns.items()}
        section = cells.get("section") or section
        if cells["prompt"]:
            items.append(_of_row(cells, section))
    return tuple(items)


def _of_row(cells: dict[str, str], section: str) -> TypedItem:
    answer = re.sub(r"\s*[|｜]\s*", "|", cells.get("answer", ""))
    line = " ".join(cells["prompt"].split())
    found = typed_items(f"{line} | {answer}" if answer else line, section=section)
    item = found[0] if len(found) == 1 else TypedItem(prompt=line, answer=answer, section=section)
    item = msgspec.structs.replace(item, section=section)
    if answer:
        item = msgspec.structs.replace(item, answer=answer)
    if cells.get("options"):
        options = tuple(_options_of(cells["options"]))
        item = msgspec.structs.replace(item, options=options, kind=guessed_kind(line, answer, options, section))
    wished = unicodedata.normalize("NFKC", cells.get("kind", "")).lower()
    kind = next((kind for kind, words in _KIND_WORDS.items() if wished in words), None)
    if kind is not None and not (kind == "choice" and not item.options):
        item = msgspec.structs.replace(item, kind=msgspec.convert(kind, Any))
    changes = {key: cells[key] for key in ("knowledge", "explanation") if cells.get(key)}
    points = re.sub(r"\s*分$|\.0$", "", cells.get("points", ""))
    if points:
        changes["points"] = points
    if cells.get("layer", "").upper() in ("A", "B", "C"):
        changes["layer"] = cells["layer"].upper()
    return msgspec.structs.replace(item, **changes)


def _options_of(text: str) -> list[str]:
    labelled = re.split(r"(?:^|\s|[;；|])\s*[A-J]\s*[.．、:：]\s*", f" {text}")
    parts = labelled[1:] if len(labelled) > 2 else re.split(r"[;；|\n]", text)
    return [part.strip(" ;；|") for part in parts if part.strip(" ;；|")]


def _columns(header: Sequence[str]) -> dict[str, int]:
    columns: dict[str, int] = {}
    for index, cell in enumerate(header):
        word = unicodedata.normalize("NFKC", cell).strip().lower()
        for column, names in _TABLE_COLUMNS.items():
            if word in names:
                columns.setdefault(column, index)
    return columns


def _ids(items: Sequence[TypedItem]) -> list[str]:
    """Each item's id: the one that it has, else the next number that is free."""
    taken = {str(item.more["id"]) for item in items if item.more.get("id")}
    ids = []
    for position, item in enumerate(items, 1):
        name = str(item.more.get("id") or "")
        if not name:
            free = (str(n) for n in range(position, position + len(items) + len(taken) + 1))
            name = next(n for n in free if n not in taken)
            taken.add(name)
        ids.append(name)
    return ids


def _table(item: TypedItem, name: str) -> dict[str, Any]:
    """The item's table of the assignment file."""
    table: dict[str, Any] = {key: value for key, value in item.more.items() if key not in (*_OWN, "id", "blanks")}
    table |= {"id": name, "kind": item.kind, "prompt": item.prompt.strip(), "layer": item.layer}
    bubbled = item.kind in ("choice", "choices")
    if item.options and (bubbled or item.kind == "letter"):
        table["options"] = list(item.options)
    table["points"] = _points(item, name)
    blanks = _blanks(item)
    if blanks > 1:
        table["blanks"] = blanks
    table |= _answer(item, name, blanks)
    for key in ("section", "explanation"):
        if getattr(item, key).strip():
            table[key] = getattr(item, key).strip()
    knowledge = [part.strip() for part in re.split(r"[,，、;；]", item.knowledge) if part.strip()]
    if knowledge:
        table["knowledge"] = knowledge
    return table


def _blanks(item: TypedItem) -> int:
    said = item.more.get("blanks")
    return said if isinstance(said, int) and 1 <= said <= MAX_BLANKS else places_in(item.prompt, item.kind)


def _answer(item: TypedItem, name: str, blanks: int) -> dict[str, Any]:
    if not item.answer.strip():
        if item.kind in ("open", "text"):
            return {}
        raise BadFileError(
            "Question {item} has no answer: {prompt}",
            remedy="Write its answer, or choose that you mark it yourself.",
            item=name,
            prompt=item.prompt[:40],
        )
    places = re.split("[;；]", item.answer) if blanks > 1 else [item.answer]
    entries = [[text.strip() for text in re.split("[|｜]", place) if text.strip()] for place in places]
    if len(entries) != blanks or not all(entries):
        raise BadFileError(
            "Question {item} has {places} places to write in, and {answers} answers.",
            remedy="Part the answers of the places with a semicolon, like 3;4.",
            item=name,
            places=blanks,
            answers=sum(1 for entry in entries if entry),
        )
    return {"answer": entries if blanks > 1 else entries[0]}


def _points(item: TypedItem, name: str) -> Decimal | int:
    text = unicodedata.normalize("NFKC", item.points).strip() or "1"
    if not re.fullmatch(r"[0-9]{1,4}(?:\.[05]0*)?", text):
        raise BadFileError(
            "Question {item}: `{points}` are no points.",
            remedy="Write a number above 0, in halves: 1, 1.5, 2 …",
            item=name,
            points=text,
        )
    return Decimal(text) if "." in text else int(text)


def _typed(item: Item) -> TypedItem:
    rule = item.rule
    more: dict[str, Any] = {"id": item.id}
    more |= {key: getattr(item, key) for key in ("label", "video") if getattr(item, key)}
    for key in ("form", "tolerance", "unit"):
        if getattr(rule, key) is not None:
            more[key] = getattr(rule, key)
    more |= {key: True for key in ("unit_written", "any_order") if getattr(rule, key)}
    if rule.credit != "all":
        more["credit"] = rule.credit
    if item.kind == "letter" and item.letters != (letters_of(len(item.options)) or "ABCD"):
        more["letters"] = item.letters
    if item.blanks != places_in(item.prompt, item.kind):
        more["blanks"] = item.blanks
    return TypedItem(
        prompt=item.prompt,
        kind=item.kind,
        answer=";".join("|".join(texts) for texts in rule.accepted) if any(rule.accepted) else "",
        options=item.options,
        section=item.section or "",
        points=str(points_of(item.points_hundredths)),
        layer=item.layer,
        knowledge="、".join(item.knowledge),
        explanation=item.explanation or "",
        more=more,
    )


def _text(value: object) -> str:
    return "" if value is None else str(value)
