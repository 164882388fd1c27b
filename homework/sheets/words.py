"""The few words that a worksheet prints itself, in the language of the class."""

from __future__ import annotations

import msgspec

from homework.layout import FieldKind


class Words(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Every phrase of the template. `{}` is where a value goes; `hints` say how a kind is answered."""

    language: str
    region: str
    class_name: str
    name: str
    seat: str
    seat_example: str
    tens: str
    units: str
    minutes: str
    total: str
    each: str
    each_blank: str
    sum: str
    item_points: str
    page: str
    front: str
    back: str
    key: str
    score: str
    several: str
    corrections: str
    no_answer: str
    layers: dict[str, str]
    hints: dict[FieldKind, str]


CHINESE = Words(
    language="zh",
    region="cn",
    class_name="班级",
    name="姓名",
    seat="座号",
    seat_example="如 07",
    tens="十位",
    units="个位",
    minutes="建议用时 {} 分钟",
    total="满分 {} 分",
    each="每题 {} 分，共 {} 分",
    each_blank="每空 {} 分，共 {} 分",
    sum="共 {} 分",
    item_points=" ({} 分)",
    page="第 {} 页，共 {} 页",
    front="正面",
    back="背面",
    key="答案",
    score="得分",
    several=" (多选)",
    corrections="订正",
    no_answer="略",
    layers={"A": "基础巩固", "B": "能力拓展，选做", "C": "实践创新，选做"},
    hints={
        "choice": "把正确答案前的圆圈涂黑",
        "choices": "正确的都要选，把圆圈涂黑",
        "judge": "对的写 √，错的写 ×",
        "letter": "在方框里写字母",
        "compare": "在圆圈里填 >、< 或 =",
    },
)

ENGLISH = Words(
    language="en",
    region="gb",
    class_name="Class",
    name="Name",
    seat="Seat",
    seat_example="e.g. 07",
    tens="tens",
    units="units",
    minutes="about {} minutes",
    total="{} points",
    each="{} each, {} in all",
    each_blank="{} a blank, {} in all",
    sum="{} points",
    item_points=" ({})",
    page="Page {} of {}",
    front="front",
    back="back",
    key="KEY",
    score="Score",
    several=" (several)",
    corrections="Corrections",
    no_answer="open",
    layers={"A": "basics", "B": "more, optional", "C": "challenge, optional"},
    hints={
        "choice": "fill the circle of the right answer",
        "choices": "fill the circles of all right answers",
        "judge": "write √ or ×",
        "letter": "write a letter in the box",
        "compare": "write >, < or = in the circle",
    },
)

WORDS = {"zh-CN": CHINESE, "en": ENGLISH}
