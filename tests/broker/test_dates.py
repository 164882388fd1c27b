"""Certificates and a clock that may be wrong: a box in 1970 or 2099 connects, and what has surely run out does not."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from homework.errors import BadFileError
from sync.box_link import BoxLink
from sync.broker_address import BrokerAddress
from sync.clock import BUILT_AT_MS, ClockQuality, ClockReading
from sync.embedded_broker import mosquitto_path
from sync.gateway_link import GatewayLink
from sync.known_time import FILE_NAME, KnownTime
from sync.lanes import Lane
from sync.line import open_line
from sync.outbox_file import OutboxFile
from sync.simulation import BOX, KEY, SCHOOL, MemoryIngest, page_record
from tests.broker.guarded import GuardedBroker, context
from tests.broker.patience import running, until

pytestmark = pytest.mark.skipif(mosquitto_path() is None, reason="mosquitto is not installed")

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
BUILT = datetime.fromtimestamp(BUILT_AT_MS / 1000, UTC)


def ms(when: datetime) -> int:
    return int(when.timestamp() * 1000)


class SetClock:
    """A clock that shows what it is set to."""

    def __init__(self, wall: datetime, quality: ClockQuality) -> None:
        self.wall, self.quality = wall, quality

    def read(self) -> ClockReading:
        return ClockReading(monotonic_ms=1, wall_ms=max(0, ms(self.wall)), boot=bytes(16), quality=self.quality)


@pytest.fixture
def broker() -> Iterator[GuardedBroker]:
    with GuardedBroker() as broker:
        yield broker


def dated(pem: bytes, signer: bytes, begins: datetime, ends: datetime) -> bytes:
    """The same certificate with other dates, signed by the authority whose file is `signer`."""
    old = x509.load_pem_x509_certificate(pem)
    key = serialization.load_pem_private_key(signer, password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    new = x509.CertificateBuilder(old.issuer, old.subject, old.public_key(), old.serial_number, begins, ends)
    for extension in old.extensions:
        new = new.add_extension(extension.value, extension.critical)
    return new.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def give(broker: GuardedBroker, name: str, begins: datetime, ends: datetime) -> None:
    """Let the broker show itself (`broker.crt`) or its authority (`ca.crt`) with these dates."""
    signer = (broker.data / "authority" / "authority.pem").read_bytes()
    path = broker.folder / name
    path.write_bytes(dated(path.read_bytes(), signer, begins, ends))
    broker.stop()
    broker.start()


def box_at(broker: GuardedBroker, surely: datetime) -> BrokerAddress:
    """The broker as a box sees it that knows this time has passed."""
    address = broker.address(broker.certificate(SCHOOL, BOX))
    return msgspec.structs.replace(address, ca=str(broker.folder / "ca.crt"), surely_ms=lambda: ms(surely))


def call(broker: GuardedBroker, tls: ssl.SSLContext) -> None:
    async def scene() -> None:
        line = await open_line(_Hung, "127.0.0.1", broker.port, tls=tls, leave_s=1.0)  # as both programs do it
        await line.over.wait()

    asyncio.run(scene())


class _Hung(asyncio.Protocol):
    """Ends the connection as soon as it is there."""

    def __init__(self) -> None:
        self.over = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()

    def connection_lost(self, _error: Exception | None) -> None:
        self.over.set()


def handshake(broker: GuardedBroker, surely: datetime) -> None:
    """Shake hands with the broker. Raises `ssl.SSLCertVerificationError`."""
    call(broker, box_at(broker, surely).connect_arguments()["tls_context"])


@pytest.mark.parametrize(
    ("begins", "ends"),
    [(NOW + 1000 * DAY, NOW + 2000 * DAY), (BUILT - 10 * DAY, NOW - DAY)],
    ids=["as if the clock stood far behind", "as if the clock stood far ahead"],
)
@pytest.mark.parametrize("name", ["broker.crt", "ca.crt"])
def test_what_the_machines_clock_says_of_a_date_does_not_count(
    broker: GuardedBroker, name: str, begins: datetime, ends: datetime
):
    """D15. The clock cannot be set here, so the dates are moved, and are as wrong to it as in 1970 or 2099."""
    give(broker, name, begins, ends)
    plain = context(broker.certificate(SCHOOL, BOX))
    plain.load_verify_locations(broker.folder / "ca.crt")
    if name == "broker.crt":
        with pytest.raises(ssl.SSLCertVerificationError):
            call(broker, plain)
    handshake(broker, BUILT)


@pytest.mark.parametrize("name", ["broker.crt", "ca.crt"])
def test_what_has_surely_run_out_is_refused(broker: GuardedBroker, name: str):
    end = NOW + 100 * DAY
    give(broker, name, BUILT, end)
    handshake(broker, end - DAY)
    with pytest.raises(ssl.SSLCertVerificationError, match="ran out on"):
        handshake(broker, end + DAY)


def test_a_certificate_of_ones_own_that_has_run_out_is_said(broker: GuardedBroker):
    with pytest.raises(BadFileError, match="ran out on") as refused:
        box_at(broker, NOW + 11 * 365 * DAY).connect_arguments()
    assert "classgate box certificate" in refused.value.remedy


@pytest.mark.parametrize("year", [1970, 2099])
async def test_a_box_in_1970_or_2099_delivers(broker: GuardedBroker, tmp_path: Path, year: int):
    """D15, with the real links, for a box that has never known the time."""
    quality = ClockQuality.UNSET if year == 1970 else ClockQuality.RESTORED
    known = KnownTime(tmp_path, SetClock(datetime(year, 1, 1, tzinfo=UTC), quality))
    give(
        broker,
        "broker.crt",
        NOW + 1000 * DAY if year == 1970 else BUILT,
        NOW + 2000 * DAY if year == 1970 else NOW - DAY,
    )
    file, ingest = OutboxFile(tmp_path / "ledger.sqlite"), MemoryIngest(random.Random(1))
    capture = random.randbytes(16)
    with file.open() as outbox:
        outbox.append(Lane.RESULTS, page_record(capture, 1), subject=capture)
    box = BoxLink(
        outbox=file.open,
        broker=msgspec.structs.replace(box_at(broker, NOW), surely_ms=known.surely_ms),
        school=SCHOOL,
        box=BOX,
        key=KEY,
        software="test",
    )
    gateway = msgspec.structs.replace(broker.address(), surely_ms=lambda: BUILT_AT_MS)

    def proven() -> bool:
        with file.open() as outbox:
            return outbox.counts()[Lane.RESULTS].receipted == 1

    async with running(GatewayLink(ingest=ingest, broker=gateway)), running(box):
        await until(proven)


def test_the_time_of_the_last_discipline_outlives_a_restart(tmp_path: Path):
    clock = SetClock(NOW, ClockQuality.SYNCED)
    assert KnownTime(tmp_path, clock).surely_ms() == ms(NOW)
    for wall in (datetime(1970, 1, 1, tzinfo=UTC), datetime(2099, 1, 1, tzinfo=UTC)):
        assert KnownTime(tmp_path, SetClock(wall, ClockQuality.RESTORED)).surely_ms() == ms(NOW)


def test_a_time_server_that_told_of_2099_is_not_believed_for_ever(tmp_path: Path):
    KnownTime(tmp_path, SetClock(datetime(2099, 1, 1, tzinfo=UTC), ClockQuality.SYNCED)).surely_ms()
    KnownTime(tmp_path, SetClock(NOW, ClockQuality.SYNCED)).surely_ms()
    assert KnownTime(tmp_path, SetClock(BUILT, ClockQuality.UNSET)).surely_ms() == ms(NOW)


def test_the_card_is_written_to_once_an_hour_at_most(tmp_path: Path):
    clock = SetClock(NOW, ClockQuality.SYNCED)
    known = KnownTime(tmp_path, clock)
    known.surely_ms()
    first = (tmp_path / FILE_NAME).stat().st_mtime_ns
    clock.wall = NOW + timedelta(minutes=59)
    assert known.surely_ms() == ms(clock.wall)
    assert (tmp_path / FILE_NAME).stat().st_mtime_ns == first
    clock.wall = NOW + timedelta(minutes=60)
    known.surely_ms()
    assert (tmp_path / FILE_NAME).stat().st_mtime_ns != first


@pytest.mark.parametrize("body", [b"", b"rubbish", b"\xff", b"9" * 400])
def test_a_damaged_memory_is_none_or_at_least_hinders_nobody(broker: GuardedBroker, tmp_path: Path, body: bytes):
    (tmp_path / FILE_NAME).write_bytes(body)
    known = KnownTime(tmp_path, SetClock(BUILT, ClockQuality.UNSET))
    address = msgspec.structs.replace(box_at(broker, NOW), surely_ms=known.surely_ms)
    call(broker, address.connect_arguments()["tls_context"])
    assert known.surely_ms() == BUILT_AT_MS


def test_where_nothing_can_be_written_the_time_is_known_all_the_same():
    known = KnownTime(Path("/proc"), SetClock(NOW, ClockQuality.SYNCED))
    assert known.surely_ms() == ms(NOW)
