"""Whatever a page is given stands on it as text, however its templates put it there."""

import gzip
from pathlib import Path

import jinja2
import pytest
from aiohttp.test_utils import make_mocked_request
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markupsafe import Markup, escape

from ui.pages import environment, packed

TEMPLATE = (
    "{% macro told(x) %}<i>{{ x }}</i>{% endmacro %}"
    "{% for x in all %}{{ x }}|{{ told(x) }}|{{ [x, x]|join(', ') }}|{% set y %}{{ x }}{% endset %}{{ y }}|"
    '<a title="{{ x }}">{{ x ~ "<" }}{% if x is none %}-{% endif %}</a>\n{% endfor %}'
)


class Bold:
    def __html__(self) -> str:
        return "<b>"


def expected(x: object) -> str:
    text = escape(x)
    return f'{text}|<i>{text}</i>|{text}, {text}|{text}|<a title="{text}">{text}&lt;{"-" if x is None else ""}</a>\n'


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text() | st.text("<>&\"'ab好", max_size=9) | st.integers() | st.floats() | st.none()))
def test_text_is_escaped_wherever_it_stands_and_markup_only_once(tmp_path: Path, found: list[object]) -> None:
    template = environment(tmp_path, language="en").from_string(TEMPLATE)
    everything = [*found, Markup("<u>&amp;</u>"), '"><script>']
    assert template.render(all=everything) == "".join(map(expected, everything))


def test_what_says_how_it_stands_on_a_page_stands_there_so(tmp_path: Path) -> None:
    template = environment(tmp_path, language="en").from_string("{{ x }}{{ y }}")
    assert template.render(x=Bold(), y=b"<") == "<b>b&#39;&lt;&#39;"


def test_a_page_goes_out_packed_to_whoever_unpacks_it() -> None:
    body = "分数乘法".encode() * 500
    small, headers = packed(make_mocked_request("GET", "/", headers={"Accept-Encoding": "deflate, gzip"}), body)
    assert (gzip.decompress(small), headers) == (body, {"Content-Encoding": "gzip"})
    assert len(small) < len(body) / 10
    assert packed(make_mocked_request("GET", "/"), body) == (body, {})
    assert packed(make_mocked_request("GET", "/", headers={"Accept-Encoding": "gzip"}), b"short") == (b"short", {})


def test_attributes_and_items_are_found_as_jinja_finds_them(tmp_path: Path) -> None:
    text = (
        "{{ a.b.c }}{{ a.none is none }}{{ a.b.get is callable }}{{ [a]|map(attribute='b.c')|first }}"
        "{% for x in [a] if x.b.c %}{{ x.b.c }}{{ (x.b.c ~ a.b.c)|length }}{{ loop.index }}{% endfor %}"
        "{% macro m(y) %}{{ y.b.c.upper() }}{% endmacro %}{{ m(a) }}{% set z = a.b.c %}{{ z }}"
    )
    values = {"a": {"b": {"c": "<1>", "get": "i"}, "none": None}}
    template = environment(tmp_path, language="en").from_string(text)
    plain = jinja2.Environment(autoescape=True).from_string(text)
    assert template.render(values) == plain.render(values)
    with pytest.raises(jinja2.UndefinedError, match="has no attribute 'nothing'"):
        environment(tmp_path, language="en").from_string("{{ a.nothing.b }}").render(values)
    with pytest.raises(jinja2.UndefinedError, match="'nobody' is undefined"):
        environment(tmp_path, language="en").from_string("{{ nobody.b }}").render(values)
