import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homework.comments import CommentFacts, Trend, proposed
from ui.language import LANGUAGES, translator

points = st.lists(st.sampled_from(["两位数乘一位数", "分数", "Zeit"]), unique=True, max_size=3).map(tuple)
counts = st.integers(0, 6)
facts = st.builds(
    CommentFacts,
    expected=counts,
    handed_in=counts,
    late=counts,
    strong=points,
    weak=points,
    trend=st.sampled_from([None, *Trend]),
    again_owes=counts,
    again_done=counts,
)


def said(language: str = "zh-CN", **given: object) -> str:
    return proposed(CommentFacts(**{"expected": 5, "handed_in": 5} | given), translator(language).gettext)  # type: ignore[arg-type]


def test_a_comment_praises_first_and_then_says_what_to_do_next() -> None:
    given = {"strong": ("乘法",), "weak": ("分数", "时间", "面积"), "trend": Trend.UP, "again_owes": 1}
    assert said(**given) == (
        "“乘法”掌握得很扎实。最近的作业比前一段有进步，真好。作业都按时交了，习惯很好。"
        "接下来可以多练练“分数”“时间”，每天几分钟就够。还有一份作业等着订正。"
    )
    assert said("en", strong=("Times",), handed_in=3, late=1) == (
        "You know “Times” well. 2 pieces of homework are missing: please bring them."
    )


def test_where_nothing_stands_out_it_is_still_kind() -> None:
    assert said(late=2) == "谢谢你认真交作业。争取当天交作业。"
    assert said() == "作业都按时交了，习惯很好。继续保持。"


def test_mistakes_are_called_put_right_when_all_of_them_are() -> None:
    assert said(again_done=2) == "作业都按时交了，习惯很好。错题都认真订正了。继续保持。"
    assert said(again_done=2, again_owes=3) == "作业都按时交了，习惯很好。还有 3 份作业等着订正。"


def test_of_a_pupil_who_handed_in_nothing_nothing_is_proposed() -> None:
    assert said(handed_in=0) == ""


@given(facts, st.sampled_from(LANGUAGES))
def test_every_comment_has_a_good_word_and_a_next_step_and_no_rank_no_score_no_blame(
    facts: CommentFacts, language: str
) -> None:
    text = proposed(facts, translator(language).gettext)
    if not facts.handed_in:
        return
    assert len(re.findall(r"[。.](?: |$)?", text)) >= 2
    assert not re.search(
        r"%|分$|\d+ *分|名次|排名|第 ?\d|落后|差生|超过|better than (?!before)|rank|class|worse|bad|lazy", text
    )


@given(facts)
def test_no_english_is_left_in_a_chinese_comment(facts: CommentFacts) -> None:
    assert not re.search(r"[a-zA-Z]{3,}", proposed(facts, translator("zh-CN").gettext).replace("Zeit", ""))


@pytest.mark.parametrize("weak", [(), ("分数",)])
def test_more_slips_than_before_are_looked_at_together(weak: tuple[str, ...]) -> None:
    assert "一起看看原因" in said(trend=Trend.DOWN, weak=weak)
