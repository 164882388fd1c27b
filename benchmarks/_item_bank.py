"""A bank of items such as a district's teachers draw from, and what pupils write under them, graded for real.

For each subject and grade `ITEMS_OF_A_POINT` items of each of some knowledge points, with a difficulty each (the item
response model of `benchmarks._district_sheets`). What may stand in a field is a short list, so that a term's sheets
cost no more than choosing from it: each entry is a reading that `homework.grading` has judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from homework.assignment import Item, parse_assignment
from homework.grading import grade_item
from homework.results import Doubt, ItemResult, Reading
from sync.records import PackedItem, pack_item

ITEMS_OF_A_POINT = 24
_POINTS = {
    "math": {
        1: ("20以内的加法", "20以内的减法", "100以内的加法", "100以内的减法"),
        2: ("表内乘法", "表内除法", "万以内的加减", "有余数的除法"),
        3: ("两位数乘一位数", "除数是一位数的除法", "三位数的加减", "两位数乘两位数"),
        4: ("三位数乘两位数", "除数是两位数的除法", "运算律", "大数的加减"),
        5: ("小数乘法", "小数除法", "简易方程", "多边形的面积"),
        6: ("百分数", "比和比例", "圆的面积", "分数乘除"),
        7: ("有理数的运算", "整式的加减", "一元一次方程", "数据的收集"),
        8: ("二次根式", "勾股定理", "一次函数", "因式分解"),
        9: ("一元二次方程", "二次函数", "相似三角形", "概率"),
    },
    "chinese": ("字音", "字形", "词语搭配", "标点", "修改病句", "古诗文默写", "阅读理解", "文学常识"),
    "english": ("单词拼写", "冠词", "名词复数", "动词时态", "介词", "句型转换", "情景对话", "阅读理解"),
}


class Answered(IntEnum):
    """What stands in a field, as a place in an item's `answers`."""

    RIGHT = 0
    RIGHT_LESS_SURE = 1
    BLANK = 4
    SLIP = 5
    """The commonest mistake, and the next one."""
    OTHER = 7
    ASKED_RIGHT = 10
    """In review, and right to whoever looks."""
    ASKED_WRONG = 11
    ASKED_UNREADABLE = 12


class BankItem(NamedTuple):
    """An item, how hard it is (0: half of the average pupils know it, less is easier), and what may be written."""

    item: Item
    difficulty: float
    guessed: float
    answers: tuple[PackedItem, ...]


@lru_cache(maxsize=64)
def bank(subject: str, grade: int) -> tuple[BankItem, ...]:
    """The items of a subject and grade, by knowledge point; always the same ones."""
    rng = np.random.default_rng([sum(subject.encode()), grade])
    points = _POINTS[subject]
    names = points[grade] if isinstance(points, dict) else points
    tables = [
        _table(rng, subject, grade, place, name) for place, name in enumerate(names) for _ in range(ITEMS_OF_A_POINT)
    ]
    text = f'[assignment]\nid = "bank"\ntitle = "题库"\nsubject = "{subject}"\ngrade = {grade}\n' + "".join(tables)
    items = parse_assignment(text).items
    difficulties = rng.normal(-1.7, 0.8, len(items)).clip(-4, 1)
    return tuple(
        BankItem(item, float(difficulty), 0.25 if item.kind == "choice" else 0.0, _answers(rng, item))
        for item, difficulty in zip(items, difficulties, strict=True)
    )


def _table(rng: np.random.Generator, subject: str, grade: int, place: int, knowledge: str) -> str:
    head = f'[[item]]\nknowledge = ["{knowledge}"]\n'
    if subject != "math":
        number, right = int(rng.integers(1, 1000)), "ABCD"[int(rng.integers(4))]
        options = ", ".join(f'"{knowledge}{number}{letter}"' for letter in "甲乙丙丁")
        prompt = f"第{number}题 下列各项中关于“{knowledge}”正确的一项是"
        return f'{head}kind = "choice"\nprompt = "{prompt}"\noptions = [{options}]\nanswer = "{right}"\npoints = 2\n'
    most = 10 if grade <= 2 else 10 ** min(grade - 1, 4)
    a, b = int(rng.integers(most // 2, 2 * most)), int(rng.integers(2, most))
    asked, answer = [
        (f"{a} + {b}", a + b),
        (f"{a + b} - {b}", a),
        (f"{a} × {b % 90 + 2}", a * (b % 90 + 2)),
        (f"{a * (b % 9 + 2)} ÷ {b % 9 + 2}", a),
    ][place % 4]
    return f'{head}kind = "number"\nprompt = "{asked} ="\nanswer = "{answer}"\n'


def _answers(rng: np.random.Generator, item: Item) -> tuple[PackedItem, ...]:
    right = item.rule.accepted[0][0]
    if item.kind == "choice":
        others = [letter for letter in rng.permutation(list("ABCD")) if letter != right]
        wrong = [*others[:2], others[2], others[2], others[2]]
        asked = Reading("AB", 0.8, Doubt.TWO_MARKS)
    else:
        steps = rng.permutation([10, -10, 1, -1, 100, 2, 9])[:5]
        wrong = [str(int(right) + int(step) if int(right) + int(step) >= 0 else int(right) + 11) for step in steps]
        asked = Reading(wrong[0], 0.7, Doubt.INK_BESIDE)
    readings = (
        *(Reading(right, sure) for sure in (1.0, 0.995, 0.98, 0.95)),
        Reading("", 0.99),
        *(Reading(str(text), sure) for text, sure in zip(wrong, (1.0, 0.99, 0.98, 0.97, 0.96), strict=True)),
        Reading(right, 0.7, Doubt.UNSURE),
        asked,
        Reading(None, 0.4, Doubt.UNSURE),
    )
    return tuple(pack_item(ItemResult(item.id, 1, item.kind, read, grade_item(item, [read])[0])) for read in readings)


def difficulties(items: Sequence[BankItem]) -> NDArray[np.float64]:
    """The difficulties and the chances to guess right of some items, as two rows."""
    return np.array([[one.difficulty for one in items], [one.guessed for one in items]])


def scores(items: Sequence[BankItem]) -> NDArray[np.int64]:
    """What each answer of some items earns, in hundredths: a row an item, a column for each of its answers."""
    return np.array([[answer.score_hundredths or 0 for answer in one.answers] for one in items])
