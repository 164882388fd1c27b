"""`classgate broker` and `classgate box`: what they write is what the programs read."""

import ssl
import stat
import subprocess
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edge.config import load_config as load_box_config
from gateway.cli import main
from gateway.config import load_config
from sync.broker_address import BrokerAddress


class Office:
    """A folder with a gateway's configuration in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.toml = folder / "gateway.toml"
        self.toml.write_text('data = "data"\n')

    def __call__(self, *words: object) -> Result:
        return CliRunner().invoke(main, [*map(str, words), "--config", str(self.toml)], env={"CLASSBOX_LANG": "en"})

    def enrol(self) -> None:
        assert self("school", "add", "no-1").exit_code == 0
        assert self("school", "enrol", "no-1", "box-1", "--broker", "mqtts://127.0.0.1").exit_code == 0


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def lines_for_toml(said: str) -> str:
    return said[said.index("[broker]") :]


def test_what_the_broker_command_says_is_a_gateways_configuration(office: Office):
    done = office("broker", "write", office.folder / "broker", "--address", "127.0.0.1", "--port", "8899")
    assert done.exit_code == 0, done.output
    with office.toml.open("a") as toml:
        toml.write(lines_for_toml(done.stdout))
    broker = load_config(office.toml).broker
    arguments = BrokerAddress(url=broker.url, ca=broker.ca, cert=broker.cert, key=broker.key).connect_arguments()
    assert (arguments["hostname"], arguments["port"]) == ("127.0.0.1", 8899)
    assert arguments["tls_context"] is not None
    assert f"mosquitto -c {office.folder / 'broker' / 'mosquitto.conf'}" in done.stdout
    for path in (office.folder / "broker").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) & 0o037 == 0, path
    for path in (office.folder / "data").rglob("*.key"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_what_the_box_command_says_is_a_boxs_configuration(office: Office):
    office.enrol()
    done = office("box", "certificate", "no-1", "box-1", office.folder / "stick")
    assert done.exit_code == 0, done.output
    (office.folder / "stick" / "box.toml").write_text(lines_for_toml(done.stdout))
    broker = load_box_config(office.folder / "stick" / "box.toml").broker
    address = BrokerAddress(url="mqtts://127.0.0.1", ca=broker.ca, cert=broker.cert, key=broker.key)
    assert address.connect_arguments()["tls_context"] is not None
    assert stat.S_IMODE((office.folder / "stick" / "box.key").stat().st_mode) == 0o600


def test_a_box_that_made_its_key_itself_keeps_it(office: Office):
    office.enrol()
    key, request = office.folder / "own.key", office.folder / "request.pem"
    made = [
        "openssl",
        "req",
        "-new",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-subj",
        "/CN=x",
    ]
    subprocess.run([*made, "-keyout", key, "-out", request], check=True, capture_output=True)
    done = office("box", "certificate", "no-1", "box-1", office.folder / "stick", "--request", request)
    assert done.exit_code == 0, done.output
    assert sorted(p.name for p in (office.folder / "stick").iterdir()) == ["box.crt", "ca.crt"]
    ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(office.folder / "stick" / "box.crt", key)
    refused = office("box", "certificate", "no-1", "box-1", office.folder / "other", "--request", key)
    assert (refused.exit_code, (office.folder / "other").exists()) == (1, False)


def test_an_address_of_version_6_stands_in_brackets(office: Office):
    done = office("broker", "write", office.folder / "broker", "--address", "fe80::1")
    assert tomllib.loads(lines_for_toml(done.stdout))["broker"]["url"] == "mqtts://[fe80::1]:8883"


def test_written_again_the_authority_stays_and_no_box_needs_a_new_certificate(office: Office):
    for _ in range(2):
        assert office("broker", "write", office.folder / "broker", "--address", "127.0.0.1").exit_code == 0
    first = (office.folder / "broker" / "ca.crt").read_bytes()
    office("broker", "write", office.folder / "elsewhere", "--address", "127.0.0.1")
    assert (office.folder / "elsewhere" / "ca.crt").read_bytes() == first


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["broker", "write", "{folder}/b", "--address", "host:8883"], 2, "is not the address of a broker"),
        (["broker", "write", "{folder}/gateway.toml/b", "--address", "h"], 1, "cannot be written"),
        (["broker", "write", "{folder}/b"], 2, "Missing option"),
        (["box", "certificate", "no-1", "box-2", "{folder}/b"], 1, "is not enrolled here"),
        (["box", "certificate", "no-1", "box-1", "{folder}"], 2, "There is already something"),
    ],
)
def test_a_mistake_ends_in_one_line_with_a_remedy(office: Office, words: list[str], code: int, said: str):
    office.enrol()
    done = office(*(word.format(folder=office.folder) for word in words))
    assert done.exit_code == code, done.output
    assert said in done.stderr
    assert "Traceback" not in done.stderr
