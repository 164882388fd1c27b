"""Charts are plain SVG: no script, no style of their own, every text escaped."""

from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from gateway.web.charts import ChartPoint, columns_chart, columns_drawn_by_pygal, line_drawn_by_pygal, trend_chart

SVG = "{http://www.w3.org/2000/svg}"


def texts(markup: str) -> list[str]:
    return [node.text or "" for node in ET.fromstring(markup).iter(f"{SVG}text")]


def test_a_trend_has_a_dot_for_each_value_and_a_gap_where_there_is_none():
    points = [ChartPoint(f"9/{day}", None if day == 3 else 10.0 * day) for day in range(1, 8)]
    chart = trend_chart(points, says="历次得分率")
    root = ET.fromstring(chart)
    assert len(list(root.iter(f"{SVG}circle"))) == 6
    lines = [node for node in root.iter(f"{SVG}path") if "line reactive" in node.attrib["class"]]
    assert len(lines) == 2, "a line runs over a homework that was not handed in"
    assert (root.attrib["role"], root.attrib["aria-label"]) == ("img", "历次得分率")


def test_what_pages_forbid_is_not_in_a_chart():
    evil = "</text><script>alert(1)</script>"
    for chart in (
        trend_chart([ChartPoint(evil, 50), ChartPoint("b", 60)], says=evil),
        columns_chart([ChartPoint(evil, 5), ChartPoint("b", 6)], says=evil),
    ):
        root = ET.fromstring(chart)
        kinds = {node.tag.removeprefix(SVG) for node in root.iter()}
        assert kinds <= {"svg", "g", "rect", "path", "circle", "text"}
        assert not any("style" in node.attrib or name.startswith("on") for node in root.iter() for name in node.attrib)
        assert evil in texts(chart)
        assert len(chart) < 6_000


def test_days_that_are_alike_keep_their_places_and_a_term_of_days_shows_a_few_labels():
    chart = trend_chart([ChartPoint("11/30", 40 + place % 50) for place in range(90)], says="")
    assert texts(chart).count("11/30") == 6
    assert ET.fromstring(chart).findall(f".//{SVG}circle")[-1].attrib["cx"] != "0"


def test_columns_are_not_called_as_the_bar_on_top_of_our_pages_which_is_not_printed():
    chart = columns_chart([ChartPoint("a", 3), ChartPoint("b", 4)], says="")
    assert chart.count('class="column"') == 2
    assert 'class="bar"' not in chart


def test_one_value_is_no_trend_and_nothing_is_no_column():
    assert not trend_chart([ChartPoint("a", 5), ChartPoint("b", None)], says="")
    assert not columns_chart([ChartPoint("a", 0), ChartPoint("b", None)], says="")
    assert not columns_chart([ChartPoint("a", 41)], says=""), "one day fills the whole chart"
    assert not columns_chart([], says="")


VALUES = st.one_of(st.none(), st.integers(0, 100), st.floats(0, 100))
LABELS = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=5)


@given(st.lists(st.builds(ChartPoint, LABELS, VALUES), min_size=2, max_size=30), st.text(max_size=5))
def test_a_line_is_to_the_sign_what_pygal_draws(points: list[ChartPoint], says: str) -> None:
    says = "".join(one for one in says if one.isprintable())
    if sum(point.value is not None for point in points) >= 2:
        assert trend_chart(points, says=says) == line_drawn_by_pygal(points, says=says)


@given(
    st.lists(st.builds(ChartPoint, LABELS, st.one_of(st.none(), st.integers(0, 20_000_000))), min_size=2, max_size=40)
)
def test_columns_are_to_the_sign_what_pygal_draws(points: list[ChartPoint]) -> None:
    if sum(bool(point.value) for point in points) >= 2:
        assert columns_chart(points, says="每天") == columns_drawn_by_pygal(points, says="每天")
