"""Nothing of a pupil is reachable without a session: every route, every method, odd paths, from another address."""

import contextlib
import csv
import http.client
import itertools
import re
import socket
import ssl
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest.mock import MagicMock
from urllib.parse import urlencode, urlsplit

import pytest
from prometheus_client.parser import text_string_to_metric_families

from benchmarks._box import RunningBox, run_classbox
from edge.access.book import AccessBook, Role
from edge.access.gate import OPEN_ROUTES
from edge.access.places import own_addresses
from edge.access.rooms import close_room, open_room
from edge.documents import Documents
from edge.web.site import make_site
from sync.clock import SystemClock
from tests.forked import start_forked

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "BREW")
TEACHER, PIN = "王老师", "502718"
SAYS_NOTHING = {
    "/hello",
    "/login",
    "/login/first",
    "/in/x",
    "/health",
    "/metrics",
    "/ui/classbox.css",
    "/static/live.css",
}
ANY_CERTIFICATE = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
ANY_CERTIFICATE.check_hostname, ANY_CERTIFICATE.verify_mode = False, ssl.CERT_NONE
Answer = tuple[int, dict[str, str], bytes]


class Visitor:
    """Somebody in the school's network, with a browser that asks for exactly what it is told."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        self.host, self.port, self.tls = parts.hostname, parts.port or 0, parts.scheme == "https"
        self.cookies: dict[str, str] = {}
        self.data = Path()

    def connect(self) -> http.client.HTTPConnection:
        if not self.tls:
            return http.client.HTTPConnection(self.host, self.port, timeout=20)
        return http.client.HTTPSConnection(self.host, self.port, timeout=20, context=ANY_CERTIFICATE)

    def ask(self, path: str, method: str = "GET", body: bytes = b"", **headers: str) -> Answer:
        connection = self.connect()
        sent = {"Host": f"{self.host}:{self.port}", "Accept": "text/html", "Accept-Language": "en"}
        sent.update({name.replace("_", "-"): value for name, value in headers.items()})
        if self.cookies:
            sent.setdefault("Cookie", "; ".join(f"{name}={value}" for name, value in self.cookies.items()))
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in sent.items():
            connection.putheader(name, value)
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        if answer.headers.get("Content-Type", "").startswith("text/event-stream"):
            read, end_s = b"", time.monotonic() + 3
            while time.monotonic() < end_s and b"\n\n" not in read.replace(b"\r\n", b"\n"):
                piece = answer.read1(65536)
                if not piece:
                    break
                read += piece
        else:
            read = answer.read()
        for name, value in answer.headers.items():
            if name == "Set-Cookie":
                name_, _, rest = value.partition("=")
                self.cookies[name_] = rest.partition(";")[0]
        connection.close()
        return answer.status, dict(answer.headers), read

    def send(self, path: str, **fields: str) -> Answer:
        body = urlencode(fields).encode()
        kind = "application/x-www-form-urlencoded"
        return self.ask(
            path, "POST", body, Content_Type=kind, Origin=f"{'https' if self.tls else 'http'}://{self.host}:{self.port}"
        )

    def sign_in(self, pin: str = PIN, **more: str) -> Answer:
        return self.send("/login", pin=pin, **more)


@pytest.fixture(scope="module")
def names(scanned_class: Path) -> tuple[str, ...]:
    with (scanned_class / "roster.csv").open(encoding="utf-8") as lines:
        return tuple(row["name"] for row in csv.DictReader(lines))


@pytest.fixture(scope="module")
def box(scanned_class: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBox]:
    """A box that a whole school could reach, with six graded sheets on it and one teacher."""
    if not own_addresses():
        pytest.skip("this machine has only loopback addresses")
    running = RunningBox(tmp_path_factory.mktemp("locked"), scanned_class, host="0.0.0.0", starting=start_forked)
    book = AccessBook(running.data, SystemClock())
    book.add(TEACHER, PIN)
    book.close()
    running.slide(1, 2, 3, 4, 5, 6)
    end_s = time.monotonic() + 60
    while '"captured":6' not in run_classbox("status", "--json", "--data", running.data).replace(" ", ""):
        assert time.monotonic() < end_s, running.errors()
        time.sleep(0.2)
    yield running
    running.stop()


@pytest.fixture
def stranger(box: RunningBox) -> Visitor:
    return Visitor(box.url)


@pytest.fixture
def teacher(box: RunningBox) -> Visitor:
    visitor = Visitor(box.url)
    visitor.data = box.data
    assert visitor.sign_in()[0] == 303
    return visitor


def routes() -> list[str]:
    """The address patterns of every page of the box."""
    return sorted({resource.canonical for resource in make_site(MagicMock(), ward=MagicMock()).router.resources()})


def filled(pattern: str) -> list[str]:
    """Addresses of a pattern: with what a sheet, an item or a pupil could be called."""
    values = {
        "capture": ("1", "3"), "key": ("1", "unsaved"), "place": ("0", "1"), "number": ("1",), "seat": ("1",),
        "name": ("live.css",), "token": ("x",), "pupil": ("S001",), "class_name": ("3-1",), "assignment": ("mul",),
    }  # fmt: skip
    holes = re.findall(r"\{(\w+)\}", pattern)
    made = [pattern]
    for hole in holes:
        usual = ("name", "withdraw", "skip") if hole == "what" else ("1", "x")
        made = [path.replace("{" + hole + "}", value) for path in made for value in values.get(hole, usual)]
    return made


def closed() -> list[str]:
    return [path for pattern in routes() if pattern not in OPEN_ROUTES for path in filled(pattern)]


def holds_nothing(answer: Answer, names: tuple[str, ...]) -> bool:
    """Neither a name nor a picture nor a score."""
    _, headers, body = answer
    if headers.get("Content-Encoding") == "gzip":
        body = zlib.decompress(body, 31)
    text = body.decode("utf-8", "replace")
    kind = headers.get("Content-Type", "")
    return (
        not any(name in text for name in names)
        and not kind.startswith("image/")
        and body[:3] != b"\xff\xd8\xff"
        and "S001" not in text
        and 'class="score' not in text
    )


def test_the_box_shows_all_this_to_a_teacher(teacher: Visitor, names: tuple[str, ...]) -> None:
    # What the tests below look for is there to be found.
    status, _, page = teacher.ask("/")
    assert status == 200
    assert any(name in page.decode() for name in names)
    status, headers, picture = teacher.ask("/sheets/1/picture.jpg")
    assert (status, headers["Content-Type"], picture[:3]) == (200, "image/jpeg", b"\xff\xd8\xff")
    assert len(closed()) > 20


@pytest.mark.parametrize("method", METHODS)
def test_no_route_says_anything_to_a_stranger(method: str, stranger: Visitor, names: tuple[str, ...]) -> None:
    for path in closed():
        answer = stranger.ask(path, method)
        assert holds_nothing(answer, names), (method, path)
        led = answer[0] == 303 and answer[1]["Location"].startswith("/login?next=/")
        told = answer[0] == 200 and path == "/events" and answer[2].startswith(b"event: signin")
        unheard_of = answer[0] == 400 and method == "BREW"  # refused before it is anything
        assert answer[0] == 403 or led or told or unheard_of, (method, path, answer[0])


def test_what_is_open_is_named_and_says_nothing_of_pupils(stranger: Visitor, names: tuple[str, ...]) -> None:
    for path, method in itertools.product(SAYS_NOTHING, METHODS):
        assert holds_nothing(stranger.ask(path, method), names), (method, path)
    assert stranger.ask("/hello")[0] == 200
    assert stranger.ask("/static/live.css", Range="bytes=0-9")[0] == 206


ODD_PATHS = r"""
    // ///sheets/1 //sheets/1/picture.jpg /./ /../ /%2e%2e/ /%2e/sheets/1 /sheets/%31 /sheets/1/
    /sheets/1%2fpicture.jpg /static/../sheets/1 /static/..%2fsheets%2f1 /static/..%2f..%2fsite.py
    /static/%2e%2e/site.py /static/x%2f..%2f..%2fsite.py /ui/..%2fpages.py /ui/%2e%2e%2fpages.py /static/%00
    /hello/../sheets/1 /hello/..;/sheets/1 /login/..%2fsheets/1 /hello%2f..%2fsheets%2f1 /SHEETS/1 /sheets/1;x=1
    /sheets/1?screen=class /sheets/1/picture.jpg?screen=class /review?screen=class /?screen=class&screen=
    /?screen=&screen=class /?screen=classy /events?screen=class&screen=teacher /?SCREEN=class /?screen%00=class
    /in/../sheets/1 /in/x/../../sheets/1 /self /self/ /self/1 /selfish /. /\sheets\1 /sheets\1 *
    /health/../sheets/1 /metrics/../sheets/1 /%73heets/1 /people/../sheets/1 http://example.org/sheets/1
    https://127.0.0.1/sheets/1
"""


@pytest.mark.parametrize("path", ODD_PATHS.split())
def test_no_way_of_writing_an_address_goes_round_the_gate(path: str, stranger: Visitor, names: tuple[str, ...]) -> None:
    for method in ("GET", "HEAD", "POST", "OPTIONS"):
        answer = stranger.ask(path, method)
        assert holds_nothing(answer, names), (method, path)
        assert b"def " not in answer[2]


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1"},
        {"Host": "localhost"},
        {"Host": ""},
        {"Host": "[::1]:1"},
        {"X_Forwarded_For": "127.0.0.1"},
        {"X_Real_IP": "127.0.0.1"},
        {"Forwarded": "for=127.0.0.1"},
        {"X_Forwarded_Host": "localhost"},
        {"X_Original_URL": "/hello"},
        {"X_Rewrite_URL": "/hello"},
        {"X_HTTP_Method_Override": "GET"},
        {"Authorization": "Basic YTpi"},
        {"Origin": "https://evil.example"},
        {"Sec_Fetch_Site": "same-origin"},
        {"Sec_Fetch_Mode": "no-cors"},
        {"Range": "bytes=0-99"},
        {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"},
        {"If_None_Match": "*"},
        {"Accept": "text/event-stream"},
        {"Cookie": "classbox=x"},
        {"Cookie": "__Host-classbox="},
        {"Cookie": "__Host-classbox=" + "a" * 43},
        {"Cookie": "__Host-classbox=" + "é" * 20},
        {"Cookie": "__Host-classbox=a; __Host-classbox=b"},
        {"Upgrade": "websocket", "Connection": "Upgrade"},
    ],
)
def test_no_header_opens_the_gate(headers: dict[str, str], stranger: Visitor, names: tuple[str, ...]) -> None:
    for path in ("/", "/sheets/1", "/sheets/1/picture.jpg", "/review", "/events"):
        answer = stranger.ask(path, **{name: value.encode().decode("latin-1") for name, value in headers.items()})
        assert holds_nothing(answer, names), path
        assert answer[0] in (303, 403, 421, 400) or answer[2].startswith(b"event: signin"), (path, answer[0])


def test_a_name_that_is_not_the_boxes_own_is_refused_even_to_a_teacher(teacher: Visitor) -> None:
    assert teacher.ask("/", Host="evil.example")[0] == 421
    assert teacher.ask("/", Host=f"{socket.gethostname().lower()}:{teacher.port}")[0] == 200


def test_forms_of_other_sites_change_nothing_even_for_a_teacher(teacher: Visitor) -> None:
    kind = "application/x-www-form-urlencoded"
    for headers in (
        {"Origin": "https://evil.example"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Origin": "null"},
    ):
        answer = teacher.ask("/sheets/1/withdraw", "POST", b"", Content_Type=kind, **headers)
        assert answer[0] == 403, headers
    assert b"withdrawn" not in teacher.ask("/sheets/1")[2]


def test_the_screen_for_the_class_shows_no_name_no_score_no_picture(stranger: Visitor, names: tuple[str, ...]) -> None:
    for path in ("/?screen=class", "/?screen=class&language=zh-CN", "/events?screen=class", "/state?screen=class"):
        status, headers, body = stranger.ask(path)
        assert status == 200
        assert holds_nothing((status, headers, body), names)
        text = body.decode()
        assert "picture.jpg" not in text
        assert "/sheets/" not in text
        assert "6 / 6" in text  # it does say how many have handed in


def test_the_pupils_own_page_is_closed_until_a_teacher_opens_it(
    stranger: Visitor, teacher: Visitor, names: tuple[str, ...]
) -> None:
    shut = [stranger.ask(path) for path in ("/self", "/self/now")]
    assert [answer[0] for answer in shut] == [303, 303]
    assert stranger.send("/self-service", open="yes")[0] == 403
    documents = Documents(Path(teacher.data))
    open_room(documents, "self", SystemClock().read())
    assert stranger.ask("/self")[0] == 200
    for path in ("/self-service", "/sheets/1", "/review"):
        answer = stranger.ask(path)
        assert answer[0] == 303, path
        assert holds_nothing(answer, names)
    close_room(documents, "self")
    assert stranger.ask("/self")[0] == 303


def test_what_somebody_does_is_written_down_under_the_name_that_signed_in(teacher: Visitor) -> None:
    assert teacher.send("/sheets/2/withdraw")[0] == 303
    assert TEACHER in teacher.ask("/audit")[2].decode()
    assert teacher.send("/sheets/2/restore")[0] == 303


def test_a_substitute_works_with_the_class_and_lets_nobody_in(box: RunningBox, stranger: Visitor) -> None:
    book = AccessBook(box.data, SystemClock())
    person = book.add("代课", "730194", Role.SUBSTITUTE)
    try:
        assert stranger.sign_in("730194", name="代课")[0] == 303
        assert stranger.ask("/")[0] == 200
        assert stranger.ask("/review")[0] == 200
        assert stranger.ask("/homework")[0] == 200
        for path in ("/people", "/technician", "/classes", "/classes/list.csv", "/settings", "/start"):
            assert stranger.ask(path)[0] == 403, path
        assert stranger.send("/people/add", name="朋友", role="teacher")[0] == 403
        assert book.called("朋友") is None
    finally:
        book.remove(person.id)
        book.close()


def test_figures_are_for_this_machine_for_who_is_signed_in_and_for_no_stranger(
    stranger: Visitor, teacher: Visitor
) -> None:
    assert stranger.ask("/metrics")[0] == 403
    assert stranger.ask("/metrics", Authorization="Bearer ")[0] == 403
    status, _, text = teacher.ask("/metrics")
    assert status == 200
    found = {
        sample.name: sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
        if not sample.labels
    }
    assert found["classbox_captured_sheets"] == 6
    assert found["classbox_page_seconds_count"] >= 0
    own = Visitor(f"https://127.0.0.1:{teacher.port}/")
    assert own.ask("/metrics")[0] == 200
    assert own.ask("/")[0] == 303  # its own computer signs in, too


def test_a_session_ends_for_whoever_signs_out_is_removed_or_gets_a_new_pin(
    box: RunningBox, stranger: Visitor, names: tuple[str, ...]
) -> None:
    book = AccessBook(box.data, SystemClock())
    try:
        for end in ("sign out", "remove", "new pin"):
            person = book.add("李老师", "730194")
            assert stranger.sign_in("730194", name="李老师")[0] == 303
            assert stranger.ask("/")[0] == 200
            cookies = dict(stranger.cookies)
            if end == "sign out":
                stranger.send("/signout")
            elif end == "remove":
                book.remove(person.id)
            else:
                book.set_pin(person.id, "846213")
            stranger.cookies = cookies
            answer = stranger.ask("/")
            assert answer[0] == 303, end
            assert holds_nothing(answer, names)
            book.remove(person.id)
            stranger.cookies.clear()
    finally:
        book.close()


def test_an_open_page_is_cut_off_when_its_person_loses_access(box: RunningBox, stranger: Visitor) -> None:
    book = AccessBook(box.data, SystemClock())
    person = book.add("代课", "730194")
    assert stranger.sign_in("730194", name="代课")[0] == 303
    connection = stranger.connect()
    cookie = "; ".join(f"{name}={value}" for name, value in stranger.cookies.items())
    connection.request("GET", "/events", headers={"Cookie": cookie})
    stream = connection.getresponse()
    assert stream.status == 200
    assert b"event: state" in stream.read1(65536)
    book.remove(person.id)
    book.close()
    with contextlib.suppress(ConnectionError, http.client.HTTPException):
        while stream.read1(65536):
            pass
    assert stranger.ask("/")[0] == 303


def test_a_cookie_of_another_box_opens_nothing(stranger: Visitor, scanned_class: Path, tmp_path: Path) -> None:
    other = RunningBox(tmp_path / "other", scanned_class, host="0.0.0.0", starting=start_forked)
    try:
        run_classbox("teacher", "add", TEACHER, "--random", "--data", other.data)
        book = AccessBook(other.data, SystemClock())
        token = book.open_session(book.people()[0].id, "")
        book.close()
        there = Visitor(other.url)
        there.cookies["__Host-classbox"] = token
        assert there.ask("/")[0] == 200
    finally:
        other.stop()
    stranger.cookies["__Host-classbox"] = token
    assert stranger.ask("/")[0] == 303


def test_a_restart_keeps_people_signed_in(box: RunningBox, teacher: Visitor) -> None:
    box.stop()
    box.start()
    assert teacher.ask("/")[0] == 200


def test_the_cookie_is_for_this_host_over_tls_and_for_no_script(stranger: Visitor) -> None:
    _, headers, _ = stranger.sign_in()
    cookie = headers["Set-Cookie"]
    assert {"__Host-classbox", "__Host-classbox-device"} == set(stranger.cookies)
    for word in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"):
        assert word in cookie
    assert "Domain" not in cookie


def test_signing_in_gives_a_new_session_whatever_the_browser_held(stranger: Visitor) -> None:
    planted = "a" * 43
    stranger.cookies["__Host-classbox"] = planted
    assert stranger.sign_in()[0] == 303
    first = stranger.cookies["__Host-classbox"]
    assert first != planted
    assert stranger.sign_in()[0] == 303
    assert stranger.cookies["__Host-classbox"] != first
    stranger.cookies["__Host-classbox"] = first
    assert stranger.ask("/")[0] == 303


def test_after_signing_in_one_is_led_to_a_place_of_this_box_only(stranger: Visitor) -> None:
    for to in (
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "/login",
        "\r\nX: y",
    ):
        _, headers, _ = stranger.sign_in(next=to)
        assert headers["Location"] == "/", to
    assert stranger.sign_in(next="/review?x=1")[1]["Location"] == "/review?x=1"


def test_a_plain_request_is_led_to_tls_and_hears_nothing_else(stranger: Visitor) -> None:
    stranger.tls = False
    status, headers, body = stranger.ask("/sheets/1?x=1")
    assert (status, headers["Location"]) == (307, f"https://{stranger.host}:{stranger.port}/sheets/1?x=1")
    assert body == b""
    status, _, body = stranger.ask("/login", "POST", b"pin=1")
    assert status == 400
    assert b"https://" in body
    assert stranger.ask("/", Host="evil example")[0] == 400


def test_old_tls_is_refused(stranger: Visitor) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        pytest.raises((ssl.SSLError, OSError)),
        socket.create_connection((stranger.host, stranger.port), timeout=10) as plain,
    ):
        context.wrap_socket(plain)


def test_large_and_odd_requests_are_bounded(stranger: Visitor) -> None:
    kind = "application/x-www-form-urlencoded"
    assert stranger.ask("/login", "POST", b"pin=" + b"1" * 20_000, Content_Type=kind)[0] == 413
    assert stranger.ask("/login", "POST", b"pin=1", Content_Type="application/json")[0] == 400
    assert stranger.ask("/" + "a" * 9000)[0] == 400
    assert stranger.ask("/hello", X_Long="a" * 9000)[0] == 400
    assert stranger.ask("/hello")[0] == 200


def cut_off_after_s(connection: socket.socket, sent: bytes) -> float:
    """Says something and hears nobody out: how long the box has patience."""
    with connection:
        connection.sendall(sent)
        begun_s = time.monotonic()
        with contextlib.suppress(ConnectionError):
            while connection.recv(4096):
                pass
        return time.monotonic() - begun_s


def test_whoever_says_nothing_whole_is_cut_off(stranger: Visitor) -> None:
    plain = (b"", b"GET / HT", b"\x16", b"\x16\x03\x01\x02\x00")
    half = b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "
    sent = [(socket.create_connection((stranger.host, stranger.port), timeout=30), said) for said in plain]
    over_tls = socket.create_connection((stranger.host, stranger.port), timeout=30)
    sent.append((ANY_CERTIFICATE.wrap_socket(over_tls), half))
    with ThreadPoolExecutor(len(sent)) as at_once:
        waited_s = list(at_once.map(cut_off_after_s, *zip(*sent, strict=True)))
    for (_, said), after_s in zip(sent, waited_s, strict=True):
        assert 5 < after_s < 15, said


def test_one_address_cannot_take_every_connection(stranger: Visitor) -> None:
    held = [socket.create_connection((stranger.host, stranger.port), timeout=10) for _ in range(130)]
    time.sleep(0.5)
    for one in held:
        one.setblocking(False)
    closed_ones = 0
    for one in held:
        try:
            closed_ones += one.recv(1) == b""
        except BlockingIOError:
            pass
        except ConnectionError:
            closed_ones += 1
        one.close()
    assert closed_ones >= 25
    time.sleep(0.5)
    assert stranger.ask("/hello")[0] == 200


def test_a_box_of_ones_own_computer_is_open_but_answers_to_its_own_names_only(
    scanned_class: Path, tmp_path: Path
) -> None:
    own = RunningBox(tmp_path / "own", scanned_class, starting=start_forked)
    try:
        assert own.url.startswith("http://127.0.0.1:")
        visitor = Visitor(own.url)
        assert visitor.ask("/")[0] == 200
        assert visitor.ask("/", Host=f"localhost:{visitor.port}")[0] == 200
        for host in ("evil.example", "192.0.2.2", "127.0.0.1.evil.example", "localhost.evil.example"):
            assert visitor.ask("/", Host=host)[0] == 421, host
        assert visitor.ask("/people")[0] == 400
    finally:
        own.stop()


def test_a_box_of_ones_own_computer_asks_for_a_pin_where_it_is_told_to(
    scanned_class: Path, start: Callable[..., RunningBox]
) -> None:
    own = start(scanned_class, more="", web='access = "pin"\n')
    visitor = Visitor(own.url)
    assert visitor.ask("/")[0] == 303
    run_classbox("teacher", "add", TEACHER, "--random", "--data", own.data)
    assert b"PIN" in visitor.ask("/login")[2]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., RunningBox]]:
    started: list[RunningBox] = []

    def begin(made: Path, *, web: str, more: str = "") -> RunningBox:
        # `[web]` is the table that RunningBox opens last but one; TOML has no second one of a name.
        box = RunningBox(tmp_path / f"box-{len(started)}", made, more=more, web=web, starting=start_forked)
        started.append(box)
        return box

    yield begin
    for box in started:
        box.stop()
