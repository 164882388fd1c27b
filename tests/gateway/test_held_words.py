"""Why a record is held is said in words, and nobody is sent for an update that cannot help."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from gateway import held_words as words_of
from gateway.held_words import held_words
from gateway.simulated_school import SimulatedSchool
from sync.errors import MalformedRecord
from sync.lanes import Lane
from sync.records import PageResult, decode_record, encode_record
from tests.gateway.office import open_office
from ui.language import translator

ON_BOTH = True
CHINESE, ENGLISH = translator("zh-CN").gettext, translator("en").gettext
CLOCK = [1, 1, bytes(16), 2]
PAGE: Mapping[str, Any] = {
    "capture": bytes(16), "pseudonym": bytes(8), "seat": 1, "clock": CLOCK, "assignment": "a", "sheet": "s", "page": 1,
    "attempt": 1, "revision": 1, "class_name": "c", "max_score_hundredths": 1, "score_hundredths": 1, "pending": 0,
    "duplicate_of": None, "problems": [], "items": [[1, 1, "1", 1, 0]], "marks": [], "settled": [],
}  # fmt: skip


def page(**other: object) -> bytes:
    return msgspec.msgpack.encode([1, 1, *({**PAGE, **other}).values()])


CASES = [
    (page(clock=[1, -1, bytes(16), 2]), "有个数不可能：盒子的时间。", False),
    (page(clock=[1, 2**53, bytes(16), 2]), "有个数不可能：盒子的时间。", False),
    (page(clock=[-5, 1, bytes(16), 2]), "有个数不可能：开机后的时间。", False),
    (page(clock=[1]), "记录的格式不对：盒子的时钟。", False),
    (page(clock=[1, 1, bytes(16), 7]), "有这里还不认识的内容：盒子时钟的可信程度。", True),
    (page(seat=1000), "有个数不可能：座号。", False),
    (page(seat="7"), "记录的格式不对：座号。", False),
    (page(assignment="a" * 65), "长度不对：作业。", False),
    (page(revision=0), "有个数不可能：其中一部分。", False),
    (page(items=[[1, 1, "1", 1, 0], [1, 1, "1", 1, 99]]), "有个数不可能：存疑的原因。", True),
    (page(items=[[9, 1, "1", 1, 0]]), "有个数不可能：对错。", True),
    (b"\x92\x01\x01", "记录不完整，缺少内容。", False),
    (page()[:-3], "记录在传输中或在盒子的存储卡上损坏了。", False),
    (page() + b"x", "记录在传输中或在盒子的存储卡上损坏了。", False),
    (page(assignment="ab").replace(b"\xa2ab", b"\xa2\xff\xff"), "记录在传输中或在盒子的存储卡上损坏了。", False),
    (msgspec.msgpack.encode([3, 1, CLOCK, "1", -1, None, 0]), "有个数不可能：存储卡剩余空间。", False),
]


def reason_of(payload: bytes) -> str:
    with pytest.raises(MalformedRecord) as caught:
        decode_record(payload)
    return caught.value.message


@pytest.mark.parametrize(("payload", "why", "helps"), CASES)
def test_each_reason_has_words_in_both_languages(payload: bytes, why: str, helps: bool) -> None:
    kind = payload[3] if payload[0] == 0xDC else payload[1]
    chinese, english = (held_words(reason_of(payload), kind, _) for _ in (CHINESE, ENGLISH))
    assert chinese.why == why
    assert chinese.remedy == (
        "请升级后收下，或拒收。" if helps else "升级也读不出来，请拒收。如果缺了作业，请重新放一次。"
    )
    assert not re.search(r"[A-Za-z$`]", chinese.why.replace("Classbox", "") + chinese.remedy)
    assert chinese.detail == english.detail
    assert not re.search(r"[$`]", english.why)


def test_what_nobody_has_met_yet_is_said_without_a_word_of_the_decoder() -> None:
    for kind in (None, 1, 99):
        said = held_words("The record cannot be read: Something new - at `$[99][3]`.", kind, CHINESE)
        assert (said.why, said.detail) == ("读不出来。", "Something new - at `$[99][3]`")


def test_every_part_and_every_line_is_translated() -> None:
    said = [*words_of._PARTS.values(), "a part of it", words_of._HOPELESS, words_of._MAYBE]
    assert [words for words in said if CHINESE(words) == words] == []


async def test_the_page_says_it_and_keeps_the_original_for_a_technician(school: SimulatedSchool) -> None:
    payload = page(clock=[1, -1, bytes(16), 2])
    good = encode_record(school.pupils.results()[0])
    assert len(PAGE) + 2 == len(PageResult.__struct_fields__)
    await school.ingest.take([school.box.envelope(Lane.RESULTS, [good, payload])])
    async with open_office(school.store) as office:
        shown = await office.get("/schools/no-1/held?language=zh-CN")
        (name,) = re.findall(r'value="([0-9a-f]{32})"', shown)
        fields = {"record": name, "do": "accept"}
        refused = await office.post("/schools/no-1/held?language=zh-CN", fields, status=400)
    assert "有个数不可能：盒子的时间。" in shown
    assert "升级也读不出来，请拒收。" in shown
    assert "<code>Expected `int` &gt;= 0 - at `$[5][1]`</code>" in shown
    assert "一条也没有收下。 有个数不可能：盒子的时间。" in refused
    assert "Expected" not in refused.partition("<form")[0]
