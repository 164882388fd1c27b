"""Answers one by one, all that is kept of one pupil, what a school is called: the same on both databases."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from gateway.cli import main
from gateway.keeping.pupil_export import pupil_file
from gateway.keeping.unpacking import COLUMNS, page_items
from gateway.simulated_school import SimulatedSchool
from sync.lanes import Lane
from sync.pseudonym import pseudonym
from sync.records import CropRecord, crop_place
from sync.sealing import seal
from tests.gateway.judged import judged

ON_BOTH = True


async def test_every_answer_is_a_row_with_its_name(school: SimulatedSchool) -> None:
    await _send(school)
    rows = await _items(school)
    names = [name for name, _ in COLUMNS]
    found = [dict(zip(names, row, strict=True)) for row in rows]
    fields = school.pupils.layout.pages[0].fields
    assert len(found) == 12 * len(fields)
    assert [(row["item"], row["blank"]) for row in found[: len(fields)]] == [(one.item, one.blank) for one in fields]
    assert {row["verdict"] for row in found} == {"correct", "wrong"}
    assert sum(row["score_hundredths"] for row in found) == 12 * 100 * (len(fields) - 2)
    assert len(await _items(school, everything=True)) == 13 * len(fields), "and a twin"


async def test_answers_whose_layout_has_not_come_have_places_and_no_names(school: SimulatedSchool) -> None:
    await _send(school, documents=False)
    rows = await _items(school)
    at = [name for name, _ in COLUMNS].index("place")
    assert {row[at + 1] for row in rows} == {None}
    assert sorted({row[at] for row in rows}) == list(range(1, len(school.pupils.layout.pages[0].fields) + 1))


async def test_a_pupils_file_has_everything_of_that_pupil_and_nothing_of_others(school: SimulatedSchool) -> None:
    await _send(school)
    first, second = school.pupils.roster.pupils[:2]
    alias = pseudonym(school.school_key, first.pupil_id)
    async with school.store.reading() as connection:
        body = await pupil_file(connection, school.store.vault, "no-1", alias)
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        said = json.loads(archive.read("pupil.json"))
        pictures = [archive.read(name) for name in archive.namelist() if name.endswith(".webp")]
    assert said["listed"] == [{"class": "3-1", "seat": 1, "name": first.name, "id": first.pupil_id}]
    assert len(said["pages"]) == 2
    assert len(said["pages"][0]["answers"]) == len(school.pupils.layout.pages[0].fields)
    assert pictures == [b"a picture"]
    assert second.name not in json.dumps(said, ensure_ascii=False)


def test_the_commands_write_files_and_name_schools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLASSGATE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("LANG", "en")
    (tmp_path / "list.csv").write_text("class,seat,name,pupil_id\n3-1,7,李雷,P7\n", encoding="utf-8")

    def run(*words: str) -> Any:
        return CliRunner().invoke(main, list(words))

    assert run("school", "add", "no-1", "--title", "第一小学").exit_code == 0
    assert run("import-roster", str(tmp_path / "list.csv"), "--school", "no-1").exit_code == 0
    assert "第二小学" in run("school", "rename", "no-1", "--title", "第二小学").output
    assert run("school", "rename", "no-1", "--title", "x" * 200).exit_code != 0
    assert run("school", "rename", "no-2", "--title", "x").exit_code != 0
    for name in ("answers.parquet", "answers.csv"):
        assert run("db", "unpack", "no-1", "--to", str(tmp_path / name)).exit_code == 0
        assert run("db", "unpack", "no-1", "--to", str(tmp_path / name)).exit_code != 0, "it is there already"
    assert run("db", "export-pupil", "no-1", "3-1#7", "--to", str(tmp_path / "pupil.zip")).exit_code == 0
    assert zipfile.is_zipfile(tmp_path / "pupil.zip")
    assert (tmp_path / "pupil.zip").stat().st_mode & 0o077 == 0


async def _send(school: SimulatedSchool, *, documents: bool = True) -> None:
    pages = [judged(school.pupils.result(one), 2) for one in school.pupils.roster.pupils]
    twin = judged(school.pupils.result(school.pupils.roster.pupils[0], duplicate_of=pages[0].capture), 2)
    name = (pages[0].capture, "q1", 1)
    crop = CropRecord(
        capture=name[0],
        item=name[1],
        blank=name[2],
        revision=1,
        sealed=seal(school.school_key, b"a picture", crop_place(*name)),
    )
    if documents:
        await school.ingest.take([school.box.envelope(Lane.DOCUMENTS, school.pupils.documents())])
    await school.ingest.take(
        [school.box.envelope(Lane.RESULTS, [*pages, twin]), school.box.envelope(Lane.CROPS, [crop])]
    )


async def _items(school: SimulatedSchool, *, everything: bool = False) -> list[tuple[Any, ...]]:
    async with school.store.reading() as connection:
        return [row async for rows in page_items(connection, "no-1", everything=everything) for row in rows]
