"""The parts of access by themselves: clocks that lie, PINs, limits, links, the certificate."""

import ipaddress
import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from edge.access import lifetimes, pins
from edge.access.book import AccessBook, Lifetimes, Role
from edge.access.certificate import CertificateError, grouped, own_certificate, server_context
from edge.access.links import LINK_LIFE_S, Links
from edge.access.places import is_loopback, places
from homework.errors import UsageError
from sync.clock import ClockQuality, ClockReading
from ui.limits import Allowance, Delays
from ui.listening import plain_answer
from ui.strangers import host_of, is_our_name

BOOT, OTHER_BOOT = b"a" * 16, b"b" * 16
MORNING_MS = 1_764_032_400_000
HOUR = lifetimes.HOUR_MS
PIN = "502718"


class HandClock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = ClockReading(monotonic_ms=10_000, wall_ms=MORNING_MS, boot=BOOT, quality=ClockQuality.SYNCED)

    def read(self) -> ClockReading:
        return self.now

    def set(self, **more: object) -> None:
        self.now = msgspec.structs.replace(self.now, **more)

    def go(self, ms: int) -> None:
        self.set(monotonic_ms=self.now.monotonic_ms + ms, wall_ms=self.now.wall_ms + ms)

    def reboot(self, *, off_ms: int, quality: ClockQuality = ClockQuality.RESTORED) -> None:
        self.set(monotonic_ms=5_000, wall_ms=self.now.wall_ms + off_ms, boot=OTHER_BOOT, quality=quality)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def book(tmp_path: Path, clock: HandClock) -> AccessBook:
    return AccessBook(tmp_path, clock)


# --- time ---------------------------------------------------------------------------------------------------


def test_a_clock_that_is_set_ends_no_session_and_lengthens_none(book: AccessBook, clock: HandClock) -> None:
    clock.set(wall_ms=0, quality=ClockQuality.UNSET)
    token = book.open_session(book.add("王", PIN).id, "")
    clock.set(wall_ms=MORNING_MS, quality=ClockQuality.SYNCED)  # the network came
    assert book.signed(token) is not None
    clock.set(wall_ms=0)  # and somebody turns the clock back
    clock.set(monotonic_ms=clock.now.monotonic_ms + 13 * HOUR)
    assert book.signed(token) is None


def test_a_session_lives_through_a_reboot_unless_the_clock_ran_backwards(book: AccessBook, clock: HandClock) -> None:
    token = book.open_session(book.add("王", PIN).id, "")
    clock.reboot(off_ms=HOUR)
    assert book.signed(token) is not None
    clock.set(boot=b"c" * 16, wall_ms=MORNING_MS - 1)
    assert book.signed(token) is None


def test_a_session_ends_idle_after_hours_and_at_last_after_days(tmp_path: Path, clock: HandClock) -> None:
    book = AccessBook(tmp_path, clock, lasting=Lifetimes(idle_ms=2 * HOUR, whole_ms=5 * HOUR))
    person = book.add("王", PIN).id
    idle, used = book.open_session(person, ""), book.open_session(person, "")
    for _ in range(3):
        clock.go(HOUR + HOUR // 2)
        assert book.signed(used) is not None
    assert book.signed(idle) is None
    clock.go(HOUR)
    assert book.signed(used) is None


def test_a_substitute_is_out_at_midnight(book: AccessBook, clock: HandClock) -> None:
    now = datetime.fromtimestamp(MORNING_MS / 1000).astimezone().replace(hour=9, minute=0, second=0, microsecond=0)
    clock.set(wall_ms=int(now.timestamp() * 1000))
    person = book.add("代课", PIN, Role.SUBSTITUTE)
    token = book.open_session(person.id, "")
    for _ in range(14):
        clock.go(HOUR)
        assert book.signed(token) is not None
    clock.go(HOUR + 1)
    assert book.signed(token) is None
    assert book.by_pin("代课", PIN) is None
    assert book.people() == ()


@pytest.mark.parametrize("quality", [ClockQuality.RESTORED, ClockQuality.UNSET])
def test_a_substitute_is_out_after_a_reboot_without_a_true_clock(
    quality: ClockQuality, book: AccessBook, clock: HandClock
) -> None:
    # A clock that wakes where it stopped would give the same afternoon again with every pull of the plug.
    token = book.open_session(book.add("代课", PIN, Role.SUBSTITUTE).id, "")
    clock.reboot(off_ms=1000, quality=quality)
    assert book.signed(token) is None


def test_a_substitute_stays_after_a_reboot_that_a_time_server_vouches_for(book: AccessBook, clock: HandClock) -> None:
    token = book.open_session(book.add("代课", PIN, Role.SUBSTITUTE).id, "")
    clock.reboot(off_ms=60_000, quality=ClockQuality.SYNCED)
    assert book.signed(token) is not None


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["go", "turn", "boot"]),
            st.integers(-40 * 24 * HOUR, 40 * 24 * HOUR),
            st.sampled_from(ClockQuality),
        ),
        max_size=12,
    )
)
def test_no_clock_however_wrong_keeps_a_substitute_for_more_than_a_day_of_running(steps) -> None:
    made = now = ClockReading(monotonic_ms=10_000, wall_ms=MORNING_MS, boot=BOOT, quality=ClockQuality.SYNCED)
    life_ms, ran_ms, boots = lifetimes.rest_of_day_ms(made), 0, 0
    for kind, ms, quality in steps:
        if kind == "go":
            now = msgspec.structs.replace(now, monotonic_ms=now.monotonic_ms + abs(ms))
            ran_ms += abs(ms)
        elif kind == "turn":
            now = msgspec.structs.replace(now, wall_ms=max(0, now.wall_ms + ms), quality=quality)
        else:
            boots += 1
            now = msgspec.structs.replace(
                now, boot=bytes([boots]) * 16, monotonic_ms=5000, wall_ms=max(0, now.wall_ms + ms), quality=quality
            )
        if boots == 0 and ran_ms > life_ms:
            assert lifetimes.lent_is_over(made, now, life_ms)
        if boots and now.quality is not ClockQuality.SYNCED:
            assert lifetimes.lent_is_over(made, now, life_ms)
        if now.quality is ClockQuality.SYNCED and now.wall_ms - made.wall_ms > life_ms:
            assert lifetimes.lent_is_over(made, now, life_ms)


@given(st.integers(0, 2**40), st.sampled_from(ClockQuality))
def test_what_is_lent_for_the_day_is_never_longer_than_a_day(wall_ms: int, quality: ClockQuality) -> None:
    now = ClockReading(monotonic_ms=0, wall_ms=wall_ms, boot=BOOT, quality=quality)
    assert 0 < lifetimes.rest_of_day_ms(now) <= 16 * HOUR


# --- PINs and people ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", ["", "12345", "111111", "121212", "123456", "654321", "123123", "0" * 65, "   12 34 "])
def test_a_pin_that_is_guessed_first_is_refused(bad: str) -> None:
    with pytest.raises(UsageError):
        pins.checked_pin(bad)


def test_of_a_pin_only_a_salted_hash_is_kept(book: AccessBook, tmp_path: Path) -> None:
    book.add("王", PIN)
    book.add("李", PIN)
    book.close()
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert PIN.encode() not in kept
    assert kept.count(b"scrypt$") >= 2
    assert len({part[:60] for part in kept.split(b"scrypt$")[1:]}) >= 2


def test_the_file_is_its_owners_alone(book: AccessBook, tmp_path: Path) -> None:
    book.add("王", PIN)
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


def test_names_are_the_same_however_they_are_written(book: AccessBook) -> None:
    book.add("Ｗａｎｇ 老师", PIN)
    assert book.by_pin("wang老师", f" {PIN[:3]} {PIN[3:]} ") is not None
    with pytest.raises(UsageError):
        book.add("WANG 老师", PIN)
    assert book.by_pin("wang老师", "502719") is None
    assert book.by_pin("nobody", PIN) is None


def test_without_a_name_a_pin_is_only_taken_where_one_person_is_meant(book: AccessBook) -> None:
    book.add("王", PIN)
    assert book.by_pin(None, PIN) is not None
    book.add("李", "730194")
    assert book.by_pin(None, PIN) is None


def test_the_setup_code_is_good_once_and_for_the_first_teacher_only(book: AccessBook) -> None:
    code = book.setup_code()
    assert code is not None
    assert code == book.setup_code()
    assert book.first_teacher("AAAA-AAAA", "王", PIN) is None
    assert book.first_teacher(code.lower().replace("-", " "), "王", PIN) is not None
    assert book.setup_code() is None
    assert book.first_teacher(code, "李", PIN) is None
    book.remove(book.people()[0].id)
    assert book.setup_code() not in (None, code)


def test_one_person_has_not_more_than_twenty_sessions_and_the_newest_stay(book: AccessBook, clock: HandClock) -> None:
    person, tokens = book.add("王", PIN).id, []
    for _ in range(25):
        clock.go(1000)
        tokens.append(book.open_session(person, ""))
    assert [book.signed(token) is not None for token in tokens] == [False] * 5 + [True] * 20


@pytest.mark.parametrize("name", ["", "   ", "\u0000", "很" * 41])
def test_a_name_must_be_one(name: str, book: AccessBook) -> None:
    with pytest.raises(UsageError):
        book.add(name, PIN)


# --- limits ---------------------------------------------------------------------------------------------------


class Seconds:
    def __init__(self) -> None:
        self.s = 0.0

    def __call__(self) -> float:
        return self.s


def test_after_five_wrong_tries_each_wait_is_twice_the_last_up_to_a_quarter_of_an_hour() -> None:
    now, waits = Seconds(), []
    delays = Delays(free=5, first_s=30, longest_s=900, forget_s=6 * 3600, now=now)
    for _ in range(12):
        delays.charge("a")
        waits.append(delays.wait_s("a"))
        now.s += delays.wait_s("a")
    assert waits == [0, 0, 0, 0, 30, 60, 120, 240, 480, 900, 900, 900]
    assert delays.wait_s("b") == 0
    delays.forgive("a")
    delays.charge("a")
    assert delays.wait_s("a") == 0


def test_delays_remember_no_more_than_they_may() -> None:
    delays = Delays(free=1, first_s=30, longest_s=900, forget_s=3600, most_keys=10, now=Seconds())
    for n in range(1000):
        delays.charge(str(n))
    assert sum(delays.wait_s(str(n)) > 0 for n in range(1000)) == 10


def test_all_together_have_thirty_tries_and_six_more_an_hour() -> None:
    now = Seconds()
    allowance, tries = Allowance(most=30, every_s=600, now=now), 0
    while now.s < 24 * 3600:
        if allowance.wait_s() == 0:
            allowance.charge()
            tries += 1
        now.s += 30
    assert 170 <= tries <= 175


def test_a_link_is_good_once_for_two_minutes_however_often_it_is_looked_at() -> None:
    now = Seconds()
    links = Links(now)
    token, late = links.make(7), links.make(8)
    assert [links.person(token) for _ in range(3)] == [7, 7, 7]
    assert links.use(token) == 7
    assert links.use(token) is None
    now.s += LINK_LIFE_S + 1
    assert links.use(late) is None


# --- names and addresses -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "ours"),
    [
        ("127.0.0.1", True), ("localhost:80", True), ("LOCALHOST.", True), ("[::1]:8601", True), ("127.9.9.9", True),
        ("evil.example", False), ("127.0.0.1.evil.example", False), ("", False), ("192.0.2.7", False),
        ("box.local", True),
        ("2130706433", False), ("0x7f.1", False), ("[::ffff:192.0.2.7]", False), ("localhost@evil", False),
    ],
)  # fmt: skip
def test_only_our_own_names_are_ours(host: str, ours: bool) -> None:
    assert is_our_name(host, {"box.local"}, any_address=False) is ours


def test_a_host_is_read_without_its_port() -> None:
    assert [host_of(text) for text in ("Box:1", "[::1]:1", "box.")] == ["box", "::1", "box"]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.3.2.1"])
def test_a_loopback_address_is_nobody_elses(host: str) -> None:
    assert is_loopback(host)
    assert places(host).urls("http", 8601)[0].startswith("http://")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "box", "", "127.0.0.1.nip.io"])
def test_every_other_address_is_others(host: str) -> None:
    assert not is_loopback(host)


def test_names_that_are_none_stay_out_of_the_certificate() -> None:
    assert places("127.0.0.1", ["Box.School.LAN.", "a b", "*.x", "-x", "x/y"]).names == ("box.school.lan",)


@given(st.binary(max_size=300))
def test_any_bytes_on_the_tls_port_get_one_whole_answer(asked: bytes) -> None:
    answer = plain_answer(asked)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith((b"HTTP/1.1 307", b"HTTP/1.1 400"))
    assert head.count(b"\r\n") == (5 if head.startswith(b"HTTP/1.1 307") else 4)
    assert int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0]) == len(body)


# --- the certificate ----------------------------------------------------------------------------------------------


def test_the_certificate_is_good_in_1970_and_in_2049_for_these_names(tmp_path: Path) -> None:
    made = own_certificate(tmp_path, ["box.local"], ["192.0.2.7", "2001:db8::1"])
    found = x509.load_pem_x509_certificate(made.path.read_bytes())
    assert found.not_valid_before_utc <= datetime(1970, 1, 2, tzinfo=UTC)
    assert found.not_valid_after_utc > datetime(2049, 1, 1, tzinfo=UTC) + timedelta(days=300)
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["box.local"]
    assert names.get_values_for_type(x509.IPAddress) == [
        ipaddress.ip_address("192.0.2.7"),
        ipaddress.ip_address("2001:db8::1"),
    ]
    assert stat.S_IMODE(made.key_path.stat().st_mode) == 0o600
    assert stat.S_IMODE(made.key_path.parent.stat().st_mode) == 0o700
    assert len(grouped(made.fingerprint)) == 16
    assert server_context(made).minimum_version is ssl.TLSVersion.TLSv1_2


def test_another_network_changes_the_certificate_and_not_the_key_and_coming_back_changes_nothing(
    tmp_path: Path,
) -> None:
    home = own_certificate(tmp_path, ["box.local"], ["192.0.2.7"])
    assert own_certificate(tmp_path, ["box.local"], ["192.0.2.7"]) == home
    away = own_certificate(tmp_path, ["box.local"], ["198.51.100.7"])
    assert away.fingerprint != home.fingerprint
    assert away.key_fingerprint == home.key_fingerprint
    assert own_certificate(tmp_path, ["box.local"], ["192.0.2.7"]) == away


def test_a_damaged_certificate_is_made_anew_and_a_damaged_key_is_told(tmp_path: Path) -> None:
    made = own_certificate(tmp_path, ["box.local"], [])
    made.path.write_text("nothing")
    again = own_certificate(tmp_path, ["box.local"], [])
    assert again.key_fingerprint == made.key_fingerprint
    server_context(again)
    made.key_path.write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    with pytest.raises(CertificateError, match="damaged"):
        own_certificate(tmp_path, ["box.local"], [])
