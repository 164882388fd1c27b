"""The environment stands over the file, setting by setting."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config import load_config
from homework.errors import BadFileError


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    file = tmp_path / "gateway.toml"
    file.write_text(
        f'data = "{tmp_path}"\n[broker]\nurl = "mqtt://127.0.0.1:1"\nca = "ca.pem"\n[store]\nconnections = 20\n'
    )
    return file


def test_a_setting_of_the_environment_stands_over_the_file_and_leaves_its_neighbours(
    toml: Path, tmp_path: Path
) -> None:
    config = load_config(toml, {"CLASSGATE_BROKER_URL": "mqtts://b:8883", "CLASSGATE_STORE_CONNECTIONS": "7"})
    assert config.broker.url == "mqtts://b:8883"
    assert config.broker.ca == str(tmp_path / "ca.pem")
    assert config.store_connections == 7


def test_the_environment_alone_does_without_a_file(tmp_path: Path) -> None:
    config = load_config(
        None,
        {
            "CLASSGATE_DATA": str(tmp_path),
            "CLASSGATE_WEB_LISTEN": "[::1]:0",
            "CLASSGATE_STICK_ROOTS": "/a,/b",
            "CLASSGATE_STICK_MOUNTED": "false",
        },
    )
    assert (config.data, config.host, config.port) == (tmp_path, "::1", 0)
    assert (config.stick.roots, config.stick.mounted) == (("/a", "/b"), False)


def test_a_secret_can_stand_in_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "url"
    secret.write_text("postgresql://u:p@127.0.0.1/d\n")
    assert load_config(None, {"CLASSGATE_STORE_URL_FILE": str(secret)}).store_url == "postgresql://u:p@127.0.0.1/d"


@pytest.mark.parametrize(
    "environment",
    [
        {"CLASSGATE_STORE_ULR": "x"},
        {"CLASSGATE_STORE": "x"},
        {"CLASSGATE_STORE_CONNECTIONS": "many"},
        {"CLASSGATE_STORE_CONNECTIONS": "1"},
        {"CLASSGATE_STORE_URL_FILE": "/nowhere/at/all"},
        {"CLASSGATE_STICK_MOUNTED": "perhaps"},
    ],
)
def test_a_mistake_in_the_environment_is_said_and_names_what_to_do(environment: dict[str, str]) -> None:
    with pytest.raises(BadFileError) as told:
        load_config(None, environment)
    assert told.value.remedy
    assert next(iter(environment)) in str(told.value) or "environment" in str(told.value)


def test_names_of_other_programs_are_left_alone(tmp_path: Path) -> None:
    load_config(None, {"CLASSBOX_LANG": "zh", "PATH": "/bin", "CLASSGATE_CONFIG": "x", "CLASSGATE_DATA": str(tmp_path)})
