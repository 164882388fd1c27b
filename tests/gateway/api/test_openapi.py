"""A real gateway is asked what its description promises, and what it does not: by schemathesis, over the network."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import MagicMock

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS
from schemathesis.schemas import APIOperation

from gateway.access.person import anybody_here
from gateway.access.program_keys import GOOD_FOR, GOOD_FOR_DISTRICT, make_key
from gateway.api.interface import INTERFACE, document_of
from gateway.clock import unix_ms
from gateway.config import load_config
from gateway.simulated_school import make_school
from gateway.store.store import open_store
from gateway.web.changes import Changes
from gateway.web.rooms import Status
from gateway.web.site import make_rooms
from homework.assignment import assignment_to_toml, parse_assignment
from sync.lanes import Lane

CLASSGATE = Path(sys.executable).with_name("classgate")
ROOT = Path(__file__).resolve().parents[3]
ASSIGNMENT = parse_assignment((ROOT / "examples" / "g3-mul-2x1.toml").read_text(encoding="utf-8"))


async def _fill(config: Path) -> tuple[str, str]:
    """A class that has handed in, a key that is good for all a school's can be good for, and one of the district."""
    async with open_store(load_config(config)) as store:
        school = await make_school(store, ASSIGNMENT)
        documents = school.box.envelope(Lane.DOCUMENTS, school.pupils.documents())
        await school.ingest.take([documents, school.box.envelope(Lane.RESULTS, school.pupils.results())])
        async with store.writing() as connection:
            school_key, district_key = [
                await make_key(connection, of, anybody_here(), title="test", scopes=scopes, days=1, now_ms=unix_ms())
                for of, scopes in (("no-1", GOOD_FOR), (None, GOOD_FOR_DISTRICT))
            ]
            return school_key, district_key


class Served(NamedTuple):
    url: str
    key: str
    district_key: str


@contextmanager
def running(config: Path) -> Iterator[str]:
    """A gateway process that answers pages."""
    with subprocess.Popen(
        [CLASSGATE, "run", "--config", config, "--parts", "pages"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"CLASSBOX_LANG": "en", "PATH": "/usr/bin:/bin"},
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("ready http://"), process.communicate()[1]
            yield line.split()[1].rstrip("/")
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    config = tmp_path_factory.mktemp("api") / "gateway.toml"
    config.write_text('data = "data"\n[web]\nlisten = "127.0.0.1:0"\naccess = "sign-in"\n')
    keys = asyncio.run(_fill(config))
    with running(config) as address:
        yield Served(address, *keys)


def _description() -> dict[str, Any]:
    """As the gateway serves it, for the names of the tests."""
    rooms = make_rooms(MagicMock(), Changes(), lambda: Status(broker_connected=True, counts={}))
    return document_of(rooms.app[INTERFACE])


schemathesis.serializer.alias("application/toml", "text/plain")
SCHEMA = schemathesis.openapi.from_dict(_description())
OPERATIONS = {operation.ok().label: operation.ok() for operation in SCHEMA.get_all_operations()}
WITHOUT_INPUT = {"GET /api/1/me", "GET /api/1/openapi.json"}
"""Operations that cannot be asked wrongly."""


def _ask(operation: APIOperation, served: Served, examples: int) -> None:
    """Good and bad requests, made up from the description. What comes back must be what the description says."""
    modes = [GenerationMode.POSITIVE, *([GenerationMode.NEGATIVE] if operation.label not in WITHOUT_INPUT else [])]
    # A made-up “after” has the right form and still is no place in a list; only then may good data be refused.
    excluded = [] if "after" not in str(operation.definition.raw) else [CHECKS.get_one("positive_data_acceptance")]
    for mode in modes:

        @settings(
            max_examples=examples,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
            derandomize=True,
            database=None,
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: schemathesis.Case) -> None:
            sent = {"Authorization": f"Bearer {served.key}"}
            case.call_and_validate(base_url=served.url, headers=sent, excluded_checks=excluded)

        ask()


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_gateway_answers_as_it_describes_itself(name: str, served: Served) -> None:
    _ask(OPERATIONS[name], served, 5)


@pytest.mark.long
@pytest.mark.parametrize("name", OPERATIONS)
def test_it_does_so_for_long(name: str, served: Served) -> None:
    _ask(OPERATIONS[name], served, 200)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_documentation_shows_what_works(served: Served, tmp_path: Path) -> None:
    """Every `curl` line of docs/api.md is run as it stands."""
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    lines = [line for block in re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL) for line in block.splitlines()]
    assert len(lines) > 12
    (tmp_path / "classes.csv").write_text("class,seat,name\n5-1,1,\u738b\u5c0f\u660e\n", encoding="utf-8")
    (tmp_path / "assignment.toml").write_text(assignment_to_toml(ASSIGNMENT), encoding="utf-8")
    script = "\n".join(["set -e", *(line.replace("curl ", "curl -sS --fail-with-body ", 1) for line in lines)])
    keys = {"KEY": served.key, "DISTRICT_KEY": served.district_key}
    environment = {"PATH": os.environ["PATH"], "GATEWAY": served.url, **keys}
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("results.csv", "answers.parquet", "results.zip", "statements.jsonl"):
        assert (tmp_path / name).stat().st_size > 100, name
