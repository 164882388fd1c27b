"""How the pages can be reached: what the configuration allows, and what it refuses before anybody can listen."""

import asyncio
import datetime as dt
import signal
import ssl
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.access.doors import address_of, door_of, server_context
from gateway.config import GatewayConfig, load_config
from homework.errors import BadFileError


def configured(folder: Path, web: str) -> GatewayConfig:
    (folder / "gateway.toml").write_text(f'data = "data"\n[web]\n{web}\n')
    return load_config(folder / "gateway.toml", {})


TLS = 'cert = "cert.pem"\nkey = "key.pem"'


@pytest.mark.parametrize(
    ("web", "opened", "address"),
    [
        ("", True, "http://127.0.0.1:8700"),
        ('access = "sign-in"', False, "http://127.0.0.1:8700"),
        ('listen = "[::1]:8700"', True, "http://[::1]:8700"),
        (f'listen = "10.1.2.3:8443"\n{TLS}', False, "https://10.1.2.3:8443"),
        (f'listen = "0.0.0.0:8443"\n{TLS}\nnames = ["school.example"]', False, "https://school.example:8443"),
        ('behind_proxy = true\nnames = ["school.example"]', False, "https://school.example"),
        ('listen = "0.0.0.0:80"\nbehind_proxy = true\nnames = ["school.example"]', False, "https://school.example"),
    ],
)
def test_who_is_asked_and_where_people_find_the_pages(tmp_path: Path, web: str, opened: bool, address: str) -> None:
    config = configured(tmp_path, web)
    assert door_of(config).open is opened
    assert address_of(config) == address


@pytest.mark.parametrize(
    "web",
    [
        'listen = "0.0.0.0:8700"',
        'listen = "10.1.2.3:8700"\naccess = "sign-in"',
        f'listen = "0.0.0.0:8443"\n{TLS}\naccess = "open"',
        'behind_proxy = true\nnames = ["school.example"]\naccess = "open"',
        "behind_proxy = true",
        'cert = "cert.pem"',
        'listen = "0.0.0.0:8443"\nkey = "key.pem"',
        'access = "anybody"',
        "idle_hours = 0",
        "session_days = 1000",
        'listen = "127.0.0.1"',
    ],
)
def test_what_would_let_names_or_passwords_lie_open_is_refused(tmp_path: Path, web: str) -> None:
    with pytest.raises(BadFileError):
        configured(tmp_path, web)


def test_names_are_ours_in_any_case_and_with_a_root_dot(tmp_path: Path) -> None:
    door = door_of(configured(tmp_path, 'behind_proxy = true\nnames = ["School.Example."]'))
    assert "school.example" in door.names
    assert not door.any_address


def certificate(folder: Path) -> None:
    """`cert.pem` and `key.pem` for this machine."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + dt.timedelta(1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    )


def test_a_certificate_that_is_none_is_said_before_anybody_can_come(tmp_path: Path) -> None:
    certificate(tmp_path)
    server_context(str(tmp_path / "cert.pem"), str(tmp_path / "key.pem"))
    for cert, key in (("cert.pem", "missing.pem"), ("key.pem", "cert.pem")):
        with pytest.raises(BadFileError):
            server_context(str(tmp_path / cert), str(tmp_path / key))


async def test_a_gateway_on_every_address_speaks_tls_and_asks_who_is_there(tmp_path: Path) -> None:
    certificate(tmp_path)
    configured(tmp_path, f'listen = "0.0.0.0:0"\n{TLS}')
    program = await asyncio.create_subprocess_exec(
        *(str(Path(sys.executable).with_name("classgate")), "run", "--config", str(tmp_path / "gateway.toml")),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert program.stdout is not None
    try:
        ready = (await asyncio.wait_for(program.stdout.readline(), 60)).decode().split()
        assert ready[0] == "ready"
        address = ready[1].replace("0.0.0.0", "localhost")
        assert address.startswith("https://")
        trusting = ssl.create_default_context(cafile=tmp_path / "cert.pem")

        def fetch() -> str:
            asked = urllib.request.Request(address, headers={"Accept": "text/html"})
            with urllib.request.urlopen(asked, context=trusting, timeout=20) as answer:
                assert answer.url == f"{address}login?next=/"
                return str(answer.read().decode())

        assert 'name="password"' in await asyncio.to_thread(fetch)
    finally:
        program.send_signal(signal.SIGTERM)
        await program.wait()
