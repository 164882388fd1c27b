from __future__ import annotations

import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from homework.errors import BadFileError, ClassboxError, UsageError
from provisioning.authority import Authority
from provisioning.mosquitto import BrokerPlan, access_list, configuration
from sync.errors import BadTopic

NOW = datetime(2026, 9, 1, 8, tzinfo=UTC)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.open(tmp_path / "authority", now=NOW)


def name_of(pem: bytes) -> str:
    ((name,),) = (x509.load_pem_x509_certificate(pem).subject.get_attributes_for_oid(NameOID.COMMON_NAME),)
    return str(name.value)


def request(name: str, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | None = None) -> bytes:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = x509.CertificateSigningRequestBuilder().subject_name(subject)
    signed = made.sign(key or ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM)


def revoked(crl: bytes) -> list[int]:
    return sorted(entry.serial_number for entry in x509.load_pem_x509_crl(crl))


def test_a_box_is_called_by_its_school_and_its_name(authority: Authority):
    issued = authority.for_box("no-1", "box-1", now=NOW)
    assert name_of(issued.certificate) == "no-1/box-1"
    certificate = x509.load_pem_x509_certificate(issued.certificate)
    own = x509.load_pem_x509_certificate(authority.certificate)
    certificate.verify_directly_issued_by(own)
    assert certificate.not_valid_before_utc < NOW < NOW + timedelta(days=3000) < issued.until <= own.not_valid_after_utc
    assert issued.key is not None
    key = serialization.load_pem_private_key(issued.key, password=None)
    assert key.public_key() == certificate.public_key()


def test_a_certificate_is_good_for_one_direction_and_makes_nobody_an_authority(authority: Authority):
    for issued, usage in (
        (authority.for_box("no-1", "box-1", now=NOW), ExtendedKeyUsageOID.CLIENT_AUTH),
        (authority.for_gateway(now=NOW), ExtendedKeyUsageOID.CLIENT_AUTH),
        (authority.for_broker(["192.168.1.10"], now=NOW), ExtendedKeyUsageOID.SERVER_AUTH),
    ):
        extensions = x509.load_pem_x509_certificate(issued.certificate).extensions
        assert list(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [usage]
        assert not extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        assert not extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign


@pytest.mark.parametrize("bad", ["no-1/box-2", "+", "#", "", "a" * 33, "box\n1", "böx", "box-1\0", "%u", "../box"])
def test_a_name_that_reaches_into_a_topic_gets_no_certificate(authority: Authority, tmp_path: Path, bad: str):
    for school, box in ((bad, "box-1"), ("no-1", bad)):
        with pytest.raises(BadTopic):
            authority.for_box(school, box, now=NOW)
    assert not (tmp_path / "authority" / "given").exists()


def test_a_request_of_another_name_is_issued_under_the_right_one(authority: Authority):
    for name in ("classgate", "no-1/box-2", "broker"):
        issued = authority.for_box("no-1", "box-1", now=NOW, request=request(name))
        assert (name_of(issued.certificate), issued.key) == ("no-1/box-1", None)


def test_a_request_whose_maker_has_not_the_key_gets_nothing(authority: Authority):
    sound = x509.load_pem_x509_csr(request("box")).public_bytes(serialization.Encoding.DER)
    forged = sound[:-1] + bytes([sound[-1] ^ 1])
    body = x509.load_der_x509_csr(forged).public_bytes(serialization.Encoding.PEM)
    weak = request("box", rsa.generate_private_key(65537, 1024))
    for bad in (body, weak, b"", b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"):
        with pytest.raises(BadFileError, match="not a request"):
            authority.for_box("no-1", "box-1", now=NOW, request=bad)


def test_the_broker_is_called_by_every_address_under_which_it_is_reached(authority: Authority):
    issued = authority.for_broker(["192.168.1.10", "broker.school.example", "fe80::1", "localhost"], now=NOW)
    names = x509.load_pem_x509_certificate(issued.certificate).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert [str(name.value) for name in names.value] == [
        "192.168.1.10",
        "broker.school.example",
        "fe80::1",
        "localhost",
    ]


@pytest.mark.parametrize(
    "bad", ["", "*", "*.example", "a b", "-a.example", "mqtts://host", "host:8883", "a" * 300, "ä.de"]
)
def test_an_address_that_is_none_is_refused(authority: Authority, bad: str):
    with pytest.raises(UsageError, match="not the address"):
        authority.for_broker(["192.168.1.10", bad], now=NOW)


def test_the_key_is_nobodys_but_the_owners(authority: Authority, tmp_path: Path):
    issued = authority.for_box("no-1", "box-1", now=NOW)
    authority.revoke(issued.serial, now=NOW)
    assert issued.key is not None
    assert issued.key.split(b"\n")[1].decode() not in repr(issued)
    for path in (tmp_path / "authority").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
        if path.is_file() and path.name != "authority.pem":
            assert b"PRIVATE" not in path.read_bytes()


def test_an_authority_stays_the_same_and_remembers_what_it_gave(authority: Authority, tmp_path: Path):
    serials = [authority.for_box("no-1", "box-1", now=NOW).serial for _ in range(2)]
    authority.for_box("no-1", "box-10", now=NOW)
    again = Authority.open(tmp_path / "authority", now=NOW + timedelta(days=400))
    assert again.certificate == authority.certificate
    assert sorted(again.serials_of("no-1", "box-1")) == sorted(serials)
    again.for_box("no-1", "box-2", now=NOW)


def test_what_is_taken_back_stands_in_the_list_which_does_not_run_out(authority: Authority, tmp_path: Path):
    one, two = (authority.for_box("no-1", box, now=NOW) for box in ("box-1", "box-2"))
    assert revoked(authority.revocations(now=NOW)) == []
    for _ in range(2):
        authority.revoke(one.serial, now=NOW)
    crl = Authority.open(tmp_path / "authority", now=NOW).revocations(now=NOW)
    own = x509.load_pem_x509_certificate(authority.certificate)
    listed = x509.load_pem_x509_crl(crl)
    assert revoked(crl) == [one.serial]
    assert listed.is_signature_valid(own.public_key())  # type: ignore[arg-type]
    assert listed.next_update_utc is not None
    assert listed.next_update_utc >= two.until
    with pytest.raises(UsageError, match="No certificate"):
        authority.revoke(12345, now=NOW)


def test_a_box_is_denied_while_it_has_no_certificate_that_is_good(authority: Authority):
    first = authority.for_box("no-1", "box-1", now=NOW)
    authority.for_box("no-1", "box-2", now=NOW)
    gateway = authority.for_gateway(now=NOW)
    for serial in (first.serial, gateway.serial):
        authority.revoke(serial, now=NOW)
    assert authority.denied() == (("no-1", "box-1"),)
    authority.for_box("no-1", "box-1", now=NOW)
    assert authority.denied() == ()


def test_two_programs_that_start_at_once_agree_on_one_authority(tmp_path: Path):
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: Authority.open(tmp_path / "authority", now=NOW).certificate, range(8)))
    assert len(set(made)) == 1
    assert [p.name for p in (tmp_path / "authority").iterdir()] == ["authority.pem"]


KILLED = """
import os, sys
from datetime import UTC, datetime
from pathlib import Path
from provisioning.authority import Authority

left = int(sys.argv[2])

def count(event, args):
    global left
    if event in ("open", "os.rename", "os.link", "os.remove", "os.mkdir"):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), 9)

now = datetime(2026, 9, 1, tzinfo=UTC)
sys.addaudithook(count)
authority = Authority.open(Path(sys.argv[1]), now=now)
authority.revoke(authority.for_box("no-1", "box-1", now=now).serial, now=now)
left = 0
"""


def test_killed_while_it_is_made_it_is_whole_or_not_there(tmp_path: Path):
    """At every step on the disk, one after the other, until one run gets to its end."""
    ended = False
    for step in range(1, 200):
        folder = tmp_path / str(step)
        done = subprocess.run(
            [sys.executable, "-c", KILLED, folder, str(step)],
            check=False,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        )
        authority = Authority.open(folder, now=NOW)
        assert len(authority.serials_of("no-1", "box-1")) <= 1
        assert len(revoked(authority.revocations(now=NOW))) == len(authority.denied())
        authority.for_box("no-1", "box-1", now=NOW)
        if ended := done.returncode == 0:
            break
        assert done.returncode == -9
    assert ended
    assert step > 10


def test_a_damaged_file_is_said_and_not_replaced(tmp_path: Path):
    path = tmp_path / "authority" / "authority.pem"
    Authority.open(path.parent, now=NOW)
    key, mark, certificate = path.read_bytes().partition(b"-----BEGIN CERT")
    another = Authority.open(tmp_path / "another", now=NOW).certificate
    for body in (b"", key, key[:100], mark + certificate, key + another):
        path.write_bytes(body)
        with pytest.raises(BadFileError, match="damaged"):
            Authority.open(path.parent, now=NOW)
        assert path.read_bytes() == body


def test_a_clock_that_was_never_set_makes_no_certificates(authority: Authority, tmp_path: Path):
    then = datetime(1970, 1, 1, tzinfo=UTC)
    with pytest.raises(ClassboxError, match="clock shows 1970"):
        Authority.open(tmp_path / "new", now=then)
    with pytest.raises(ClassboxError, match="clock shows 1970"):
        authority.for_box("no-1", "box-1", now=then)


def test_a_folder_that_cannot_be_used_is_said_in_one_line(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(ClassboxError, match="cannot be used"):
        Authority.open(tmp_path / "file" / "authority", now=NOW)


def test_the_access_list_denies_before_it_allows():
    lines = access_list([("no-2", "b"), ("no-1", "a")]).decode().splitlines()
    assert lines[6:10] == ["user no-1/a", "topic deny #", "user no-2/b", "topic deny #"]
    with pytest.raises(BadTopic):
        access_list([("no-1\nuser classgate", "a")])


def test_a_folder_with_a_line_break_cannot_add_a_line_to_the_configuration():
    with pytest.raises(UsageError, match="plain name"):
        configuration(BrokerPlan(folder=Path("/tmp/a\nallow_anonymous true"), addresses=("h",), port=8883))
