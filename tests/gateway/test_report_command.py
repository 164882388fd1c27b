"""`classgate report`: the report of a class on the terminal and as files."""

from __future__ import annotations

import asyncio
from pathlib import Path

from click.testing import CliRunner, Result
from openpyxl import load_workbook

from gateway.cli import main
from gateway.config import load_config
from gateway.simulated_school import make_school
from gateway.store.store import open_store
from homework.assignment import parse_assignment
from sync.lanes import Lane

ASSIGNMENT = parse_assignment(
    (Path(__file__).resolve().parents[2] / "examples" / "g3-mul-2x1.toml").read_text(encoding="utf-8")
)


async def test_a_report_is_written_as_a_workbook_and_as_a_table_for_programs(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text('data = "data"\n')
    async with open_store(load_config(file)) as store:
        school = await make_school(store, ASSIGNMENT)
        sheets = school.box.envelope(Lane.RESULTS, school.pupils.results())
        await school.ingest.take([school.box.envelope(Lane.DOCUMENTS, school.pupils.documents()), sheets])

    async def classgate(*words: str) -> Result:
        env = {"CLASSBOX_LANG": "zh-CN", "CLASSGATE_CONFIG": str(file)}
        return await asyncio.to_thread(lambda: CliRunner().invoke(main, ["report", "3-1", *words], env=env))

    book = tmp_path / "3-1.xlsx"
    done = await classgate("--xlsx", str(book))
    assert (done.exit_code, done.stdout) == (0, f"{book}：已写好。\n")
    whole = load_workbook(book)
    assert whole.sheetnames[0] == "班级小结"
    pupils = list(whole.worksheets[1].values)
    assert pupils[0][:3] == ("座号", "姓名", "状态")
    assert len(pupils) == 1 + len(school.pupils.roster.pupils)
    table = (await classgate("--csv")).stdout
    assert table.splitlines()[0].endswith("class,seat,name,pupil,status,score,max_score,pending,wrong,blank,timing")
    refused = await classgate("--json", "--xlsx", str(book))
    assert (refused.exit_code, "--xlsx" in refused.stderr) == (2, True)
    nowhere = await classgate("--xlsx", str(tmp_path / "no" / "3-1.xlsx"))
    assert (nowhere.exit_code, "无法写入" in nowhere.stderr) == (1, True)
