"""The slip for the parents' meeting: one A5 a pupil, nothing too small, whatever is in it."""

from __future__ import annotations

import pypdfium2
import pypdfium2.raw as pdfium
import pytest

from homework.sheets.parents_slip import ParentsSlip, ParentsWords, TrendLine, TrendPoint, WeakPoint, make_parents_slips
from homework.sheets.printing import font_folders

WORDS = ParentsWords(
    language="zh-CN", trend="历次作业", no_trend="还没有", weak="还要练的", no_weak="没有", facts="交作业",
    comment="老师的话", summary="自动小结", signature="家长签字",
)  # fmt: skip


def slip(
    name: str = "学生12",
    *,
    points: int = 17,
    comment: str = "进步很大。",
    weak: str = "两位数乘一位数",
    subjects: tuple[str, ...] = ("数学",),
) -> ParentsSlip:
    return ParentsSlip(
        name=name,
        about="3-1 · 12 号",
        trend=tuple(
            TrendLine(
                subject=subject,
                points=tuple(
                    TrendPoint(label=f"{9 + n // 28}/{n % 28 + 1}", percent=(37 * n) % 101) for n in range(points)
                ),
            )
            for subject in subjects
            if points
        ),
        weak=(WeakPoint(name=weak, right="5/12 题对", percent=42, where="11/21，11/24"),),
        lines=(("按时交", "16/17"), ("订正", "10 份中已订正 8 份")),
        comment=comment,
    )


def made(*slips: ParentsSlip) -> pypdfium2.PdfDocument:
    return pypdfium2.PdfDocument(make_parents_slips(slips, words=WORDS, fonts=font_folders()))


def said(page: pypdfium2.PdfPage) -> str:
    return page.get_textpage().get_text_range().replace(" ", "")


def test_each_pupil_has_an_a5_with_trend_weak_points_corrections_and_comment():
    document = made(slip(), slip("学生13"))
    assert len(document) == 2
    assert all(page.get_size() == pytest.approx((420, 595), abs=1) for page in document)
    first, second = (said(page) for page in document)
    for words in ("学生12", "两位数乘一位数", "5/12题对", "已订正8份", "进步很大", "100%", "11/21"):
        assert words in first, words
    assert "学生13" in second
    assert "学生12" not in second


def test_nothing_is_smaller_than_nine_points():
    for page in made(slip(points=90)):
        words = page.get_textpage()
        sizes = [
            pdfium.FPDFText_GetFontSize(words.raw, n)
            for n in range(words.count_chars())
            if chr(pdfium.FPDFText_GetUnicode(words.raw, n)).strip()
        ]
        assert min(sizes) >= 8.99


def test_words_that_typst_would_read_as_its_own_are_printed_as_they_are():
    evil = '*a* #panic("x") $c$ @d <e> \\ //f'
    (page,) = made(slip("#let x", comment=evil, weak="$ #x"))
    assert '#panic("x")' in said(page)
    assert "#letx" in said(page)


@pytest.mark.parametrize("points", [0, 1, 2, 90])
def test_any_number_of_homeworks_is_a_page(points: int):
    assert len(made(slip("محمد " + "很长的名字" * 9, points=points))) == 1


@pytest.mark.parametrize("n", [1, 2, 3, 4, 6, 9])
def test_each_subject_has_a_line_of_its_own_with_its_name_and_all_stand_on_one_page(n: int):
    subjects = ("语文", "数学", "英语", "科学", "道德与法治", "音乐", "美术", "体育", "信息科技")[:n]
    (page,) = made(slip(points=60, subjects=subjects))
    text = said(page)
    assert all(subject in text for subject in subjects)
    assert text.count("100%") == n


def test_a_long_comment_goes_on_and_loses_nothing():
    whole = "".join(said(page) for page in made(slip(comment="要多练。" * 300 + "完")))
    assert whole.count("多") == 300
    assert "完\r\n家长签字" in whole
