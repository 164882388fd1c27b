"""What goes down arrives (D11): the newest of each, once, whatever line, gateway, disk and power do."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from homework.errors import ClassboxError
from sync.allowance import Restraint
from sync.box_session import BoxSession
from sync.down_bodies import content_of
from sync.down_messages import MAX_INLINE_BYTES, MAX_OFFERED, PART_BYTES, Part
from sync.downward import UnusableError
from sync.gateway_session import GatewaySession, Message
from sync.inbox import MAX_WAITING, Inbox
from sync.outbox import Outbox, create_tables
from sync.signed import MessageKind, sign
from sync.simulation import BOX, KEY, SCHOOL, MemoryIngest
from sync.simulation.documents import MemoryDownLog, MemoryShelf
from sync.topics import topic

T = TypeVar("T")
UP, DOWN, STATE = (topic(SCHOOL, BOX, channel) for channel in ("up", "down", "state"))


class Killed(BaseException):
    """The power went."""


def now(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that never really waits."""
    with pytest.raises(StopIteration) as done:
        work.send(None)
    result: T = done.value.value
    return result


class School:
    """A gateway, a box and a line that carries what it is told to."""

    def __init__(self, seed: int = 1) -> None:
        self.rng = random.Random(seed)
        self.log = MemoryDownLog(self.rng.randbytes(8))
        self.shelf = MemoryShelf()
        self.db = sqlite3.connect(":memory:", isolation_level=None)
        create_tables(self.db)
        self.now_ms = 0.0
        self.line: list[Message] = []
        self.said: list[Message] = []
        self.box = self.started()
        self.gateway = self.gateway_started()

    def started(self, software: str = "1") -> BoxSession:
        return BoxSession(school=SCHOOL, box=BOX, key=KEY, software=software, takes_documents=True)

    def gateway_started(self) -> GatewaySession:
        return GatewaySession(MemoryIngest(random.Random(1)), down_log=self.log)

    @contextmanager
    def outbox(self) -> Iterator[Outbox]:
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield Outbox(self.db)
        except BaseException:
            self.db.execute("ROLLBACK")
            raise
        self.db.execute("COMMIT")

    @contextmanager
    def inbox(self) -> Iterator[Inbox]:
        with self.outbox() as outbox:
            yield outbox.inbox

    def say(self, messages: list[Message]) -> None:
        self.line += messages
        self.said += messages

    def hello(self) -> None:
        with self.outbox() as outbox:
            self.say([Message(STATE, hello) for hello in self.box.hellos(outbox)])

    def settle(self) -> ClassboxError | None:
        settled = self.box.downward.settle(self.inbox, self.shelf, self.now_ms)
        if settled.say_hello:
            self.hello()
        while True:
            with self.outbox() as outbox:
                want = self.box.next_want(outbox, self.now_ms)
            if want is None:
                return settled.trouble
            self.say([Message(UP, want)])

    def carry(self, message: Message) -> None:
        """To whom it is for, who answers."""
        if message.topic != DOWN:
            self.say(now(self.gateway.handle([message])))
            return
        with self.outbox() as outbox:
            received = self.box.receive(outbox, message.payload)
        assert received.refused is None
        if received.say_hello:
            self.hello()
        self.settle()

    def all_carried(self) -> None:
        """In the order in which it was said."""
        while self.line:
            self.carry(self.line.pop(0))

    def news(self) -> None:
        self.say(now(self.gateway.news()))

    def calm(self, *, at_most: int = 6_000) -> None:
        """Let everything arrive, and time pass, until nobody has anything to say."""
        self.shelf.before = self.shelf.after = lambda: None
        for _ in range(4):
            self.now_ms += 400_000
            self.hello()
            self.settle()
            self.news()
            while self.line:
                at_most -= 1
                assert at_most > 0, "they talk without end"
                self.carry(self.line.pop(0))

    def waiting(self) -> int:
        with self.inbox() as inbox:
            return len(inbox.waiting())


def arrived(school: School) -> bool:
    """The box has the newest of each, byte by byte, and nothing waits."""
    newest = {(one.kind, one.key): one.content for one in school.log.standing()}
    return school.waiting() == 0 and all(school.shelf.content(*name) == content for name, content in newest.items())


def large(seed: int, size: int) -> bytes:
    """Bytes that cannot be packed."""
    return random.Random(seed).randbytes(size)


def test_what_is_loaded_at_the_school_stands_on_the_box():
    """D11."""
    school = School()
    school.log.append("assignment", "g3", b"small")
    school.log.append("reference", "p.png", large(1, 5 * PART_BYTES + 17))
    school.calm()
    assert arrived(school)
    assert school.shelf.taken == 2


def test_what_the_box_has_does_not_come_again():
    """D11: nothing bounces, not even the small that lies in an offer."""
    school = School()
    school.shelf.put("layout", "s", large(1, 3 * PART_BYTES))
    school.log.append("layout", "s", large(1, 3 * PART_BYTES), origin=BOX)
    school.log.append("assignment", "g3", b"small", origin=BOX)
    school.shelf.put("assignment", "g3", b"small")
    school.calm()
    assert (school.shelf.taken, school.log.given) == (0, 0)
    assert arrived(school)
    school.hello()
    (hello,) = school.line
    assert all(len(answer.payload) < 300 for answer in now(school.gateway.handle([hello])))


def test_a_line_that_is_cut_again_and_again_carries_each_part_about_once():
    """D11: parts that came stay, also when the box starts again."""
    school = School()
    body = large(2, 1 << 20)
    school.log.append("reference", "p.png", body)
    cuts = 0
    school.hello()
    while not arrived(school):
        for _ in range(10):
            if school.line:
                school.carry(school.line.pop(0))
        school.line.clear()
        school.box = school.started()
        cuts += 1
        school.hello()
        assert cuts < 500
    assert cuts > 10
    assert school.log.given <= len(body) + 4 * PART_BYTES * cuts
    assert school.shelf.taken == 1


def test_small_news_do_not_wait_behind_a_large_document():
    """D11."""
    school = School()
    school.log.append("reference", "p.png", large(2, 1 << 20))
    school.log.append("correction", "c", b"1")
    school.hello()
    for _ in range(6):
        school.carry(school.line.pop(0))
    assert school.shelf.content("correction", "c") == content_of(b"1")
    assert school.waiting() == 1


def test_a_box_killed_between_putting_in_place_and_writing_it_down_does_it_again_and_no_more():
    """D11."""
    school = School()
    school.log.append("assignment", "g3", b"small")

    def killed() -> None:
        raise Killed

    school.shelf.after = killed
    school.hello()
    with pytest.raises(Killed):
        school.all_carried()
    assert school.shelf.taken == 1
    assert school.waiting() == 1
    school.line.clear()
    school.box = school.started()
    school.calm()
    assert arrived(school)
    assert school.shelf.taken <= 2


def test_what_cannot_be_used_stops_nothing_and_is_tried_by_the_next_version():
    """D11."""
    school = School()
    school.log.append("setting", "of the future", b"?")
    school.log.append("assignment", "g3", b"small")
    content, school.shelf.content = school.shelf.content, refusing(school.shelf.content)  # type: ignore[method-assign]
    school.calm()
    assert school.shelf.bodies == {("assignment", "g3"): b"small"}
    assert school.settle() is not None
    with school.inbox() as inbox:
        assert (inbox.having().waiting, inbox.having().refused) == (0, 1)
    school.shelf.content = content  # type: ignore[method-assign]
    school.box = school.started()
    school.calm()
    assert len(school.shelf.bodies) == 1
    school.box = school.started("2")
    school.calm()
    assert arrived(school)
    assert school.settle() is None
    assert school.shelf.taken == 2


def refusing(content: Callable[[str, str], bytes | None]) -> Callable[[str, str], bytes | None]:
    def refuse(kind: str, key: str) -> bytes | None:
        if kind == "setting":
            raise UnusableError("no", remedy="no")
        return content(kind, key)

    return refuse


def test_a_disk_that_takes_nothing_is_told_and_what_came_is_not_fetched_again():
    """D11."""
    school = School()
    body = large(3, 3 * PART_BYTES)
    school.log.append("reference", "p.png", body)

    def full() -> None:
        raise OSError(28, "No space left on device")

    school.shelf.before = full
    school.hello()
    school.all_carried()
    assert school.settle() is not None
    given = school.log.given
    school.calm()
    assert arrived(school)
    assert school.settle() is None
    assert school.log.given == given


def test_a_gateway_put_back_brings_back_nothing_that_the_box_had_before():
    """D11: what it forgot, or a person changed since, stays."""
    school = School()
    school.log.append("roster", "3-1", b"old")
    school.calm()
    backup = school.log.copy()
    school.log.append("roster", "3-1", b"new")
    school.calm()
    backup.incarnation = b"another!"
    backup.append("roster", "3-2", b"two")
    school.log = backup
    school.gateway = school.gateway_started()
    school.calm()
    assert school.shelf.bodies == {("roster", "3-1"): b"new", ("roster", "3-2"): b"two"}
    school.log.append("roster", "3-1", b"newest")
    school.calm()
    assert arrived(school)


def test_a_log_of_thousands_comes_page_by_page_and_waits_within_its_limit():
    """D11."""
    school = School()
    for n in range(700):
        school.log.append("correction", f"c{n}", b"%d" % n)
    most = 0
    school.hello()
    while school.line:
        school.carry(school.line.pop(0))
        most = max(most, school.waiting())
    assert arrived(school)
    assert school.shelf.taken == 700
    assert most <= MAX_WAITING + MAX_OFFERED


def test_while_the_disk_takes_nothing_only_so_many_entries_wait():
    """D11, D14: a log of any length cannot fill the card."""
    school = School()
    for n in range(700):
        school.log.append("correction", f"c{n}", b"%d" % n)

    def full() -> None:
        raise OSError(28, "No space left on device")

    school.shelf.before = full
    for _ in range(5):
        school.hello()
        school.all_carried()
    assert MAX_WAITING < school.waiting() <= MAX_WAITING + MAX_OFFERED
    school.calm()
    assert arrived(school)


def test_a_part_that_nobody_waits_for_is_not_kept():
    """D14."""
    school = School()
    school.log.append("reference", "p.png", large(1, 3 * PART_BYTES))
    school.hello()
    school.carry(school.line.pop(0))
    school.carry(school.line.pop())
    (one,) = school.log.standing()
    parts = [
        Part(one.place, b"d" * 16, 0, bytes(PART_BYTES)),
        Part(one.place + 1, one.digest, 0, bytes(PART_BYTES)),
        Part(one.place, one.digest, 0, bytes(PART_BYTES - 1)),
        Part(one.place, one.digest, 64 * PART_BYTES, bytes(PART_BYTES)),
    ]
    with school.inbox() as inbox:
        assert len(inbox.waiting()) == 1
        assert not any(inbox.keep(part) for part in parts)
        assert inbox.stored_bytes() == 0


def test_a_gateway_put_back_in_the_middle_of_a_document_does_not_begin_it_anew():
    """D11."""
    school = School()
    body = large(1, 20 * PART_BYTES)
    for n in range(MAX_OFFERED + 5):
        school.log.append("setting", f"s{n}", b"%d" % n)
    school.log.append("reference", "p.png", body)
    school.hello()
    while school.log.given < 10 * PART_BYTES:
        school.carry(school.line.pop(0))
    school.log = school.log.copy()
    school.log.incarnation = b"another!"
    school.gateway = school.gateway_started()
    school.calm()
    assert arrived(school)
    assert school.log.given <= len(body) + 64 + 8 * PART_BYTES


def test_what_was_said_before_the_box_was_turned_back_does_not_count_any_more():
    """D7, D11."""
    school = School()
    for n in range(2):
        school.log.append("setting", f"s{n}", b"1")
    school.calm()
    school.log.append("setting", "s2", b"1")
    school.hello()
    old = now(school.gateway.handle([school.line.pop()]))[-1]
    shorter = MemoryDownLog(school.log.incarnation)
    for n in range(2):
        shorter.append("setting", f"s{n}", b"2")
    school.log = shorter
    school.gateway = school.gateway_started()
    school.calm()
    with school.outbox() as outbox:
        told = outbox.inbox.told()
        school.box.receive(outbox, old.payload)
        assert outbox.inbox.told() == told


def test_old_news_and_old_offers_change_nothing():
    """D7, D11: who repeats what was once said can neither turn the box back nor make it talk."""
    school = School()
    school.log.append("setting", "report", b"1")
    school.calm()
    first = school.log.copy()
    school.log.append("setting", "report", b"2")
    school.calm()
    school.log = first
    school.log.incarnation = b"another!"
    school.gateway = school.gateway_started()
    school.calm()
    school.log.append("setting", "report", b"3")
    school.calm()
    old = [message for message in school.said if message.topic == DOWN]
    told = len(school.said)
    taken = school.shelf.taken
    for message in old:
        with school.outbox() as outbox:
            school.box.receive(outbox, message.payload)
        school.settle()
    assert (len(school.said), school.shelf.taken) == (told, taken)
    assert school.shelf.content("setting", "report") == content_of(b"3")


def test_an_offer_that_was_never_heard_does_not_turn_the_box_back_later():
    """D7, D11: once it would have been right."""
    school = School()
    for n in range(3):
        school.log.append("setting", f"s{n}", b"1")
    school.calm()
    right, wrong = school.log, MemoryDownLog(school.log.incarnation)
    wrong.append("setting", "s0", b"of another log")
    school.log = wrong
    school.gateway = school.gateway_started()
    school.hello()
    never_heard = now(school.gateway.handle([school.line.pop()]))[-1]
    school.log = right
    school.gateway = school.gateway_started()
    school.log.append("setting", "s3", b"1")
    school.calm()
    with school.outbox() as outbox:
        place = outbox.inbox.told()
        received = school.box.receive(outbox, never_heard.payload)
        assert received.say_hello
        assert outbox.inbox.told() == place


def test_a_part_that_is_lost_on_a_line_that_stands_is_asked_for_again():
    """D11."""
    school = School()
    school.log.append("reference", "p.png", large(1, 9 * PART_BYTES))
    school.hello()
    school.carry(school.line.pop(0))
    school.carry(school.line.pop())
    school.line.clear()  # the wishes
    school.settle()
    assert school.line == []
    waits_ms = school.box.downward.wake_at_ms()
    assert waits_ms is not None
    school.now_ms = waits_ms
    school.settle()
    assert len(school.line) == 1, "one at first, and the others when it comes"
    school.all_carried()
    assert arrived(school)


def test_what_is_replaced_while_it_is_fetched_is_given_up_for_the_newer():
    """D11."""
    school = School()
    school.log.append("reference", "p.png", large(1, 20 * PART_BYTES))
    school.hello()
    for _ in range(12):
        school.carry(school.line.pop(0))
    school.log.append("reference", "p.png", large(2, 3 * PART_BYTES))
    school.calm()
    assert arrived(school)
    with school.inbox() as inbox:
        assert inbox.stored_bytes() == 0


def test_a_gateway_put_back_that_nobody_noticed_is_known_by_its_chain():
    """D11: also when its log is as long again by now."""
    school = School()
    school.log.append("setting", "a", b"1")
    backup = school.log.copy()
    school.log.append("setting", "b", b"2")
    school.calm()
    backup.append("setting", "c", b"3")
    school.log = backup
    school.gateway = school.gateway_started()
    school.calm()
    assert arrived(school)
    assert set(school.shelf.bodies) == {("setting", name) for name in "abc"}


NAMES = [("assignment", "a"), ("roster", "3-1"), ("setting", "report"), ("correction", "c")]
SIZES = [1, 100, MAX_INLINE_BYTES, 2 * PART_BYTES, 6 * PART_BYTES + 5]


class Misfortunes:
    """Anything goes wrong, in the order that the seed decides; then calm, and the count."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.school = School(seed)
        self.copies: list[MemoryDownLog] = []
        self.put_back = False

    def run(self, steps: int) -> None:
        usual = (self.the_line_carries, self.the_line_carries, self.the_school_loads, self.there_is_news)
        unusual = (
            self.the_school_goes_back, self.everything_is_lost, self.something_is_said_again, self.the_box_starts,
            self.the_box_is_killed, self.the_disk_takes_nothing, self.time_passes, self.the_gateway_is_copied,
            self.the_gateway_is_put_back,
        )  # fmt: skip
        for _ in range(steps):
            self.rng.choice(usual if self.rng.random() < 0.6 else unusual)()
            with self.school.inbox() as inbox:
                assert inbox.stored_bytes() <= 20 * 6 * PART_BYTES

    def the_line_carries(self) -> None:
        for _ in range(self.rng.randrange(30)):
            if self.school.line:
                self.school.carry(self.school.line.pop(self.rng.randrange(min(4, len(self.school.line)))))

    def the_school_loads(self) -> None:
        self.school.log.append(*self.rng.choice(NAMES), self.rng.randbytes(self.rng.choice(SIZES)))

    def there_is_news(self) -> None:
        self.school.news()

    def the_school_goes_back(self) -> None:
        self.school.log.append(*self.rng.choice(NAMES[:3]), b"as it was at first")

    def everything_is_lost(self) -> None:
        self.school.line.clear()
        self.school.box.downward.reconnected()
        self.school.hello()

    def something_is_said_again(self) -> None:
        if self.school.said:
            self.school.line.insert(0, self.rng.choice(self.school.said[-200:]))

    def the_box_starts(self) -> None:
        self.school.box = self.school.started()
        self.the_disk_works()
        if self.rng.random() < 0.7:
            self.school.hello()

    def the_box_is_killed(self) -> None:
        """Before or after the next document is in its place."""

        def killed() -> None:
            raise Killed

        setattr(self.school.shelf, self.rng.choice(("before", "after")), killed)
        try:
            self.the_line_carries()
        except Killed:
            self.the_box_starts()
        self.the_disk_works()

    def the_disk_takes_nothing(self) -> None:
        def full() -> None:
            raise OSError(28, "No space left on device")

        self.school.shelf.before = full

    def the_disk_works(self) -> None:
        self.school.shelf.before = self.school.shelf.after = lambda: None

    def time_passes(self) -> None:
        self.school.now_ms += self.rng.random() * 600_000
        self.school.settle()

    def the_gateway_is_copied(self) -> None:
        self.copies = [*self.copies[-3:], self.school.log.copy()]

    def the_gateway_is_put_back(self) -> None:
        if not self.copies:
            return
        self.school.log = self.rng.choice(self.copies).copy()
        if self.rng.random() < 0.5:
            self.school.log.incarnation = self.rng.randbytes(8)
        self.school.gateway = self.school.gateway_started()
        self.put_back = True


@settings(max_examples=120, deadline=None)
@given(st.integers(0, 1 << 32))
@example(11_770)  # killed after a document was in its place, and the next one was again the one before
@example(10_495)  # an older hello, answered out of another log of the same incarnation, skipped what stood between
def test_whatever_goes_wrong_in_the_end_the_box_has_the_newest_of_each(seed: int):
    """D11."""
    world = Misfortunes(seed)
    world.run(60)
    school = world.school
    school.calm()
    for one in school.log.standing():
        if one.kind == "correction" or world.put_back:
            assert (one.kind, one.key, one.content) in school.shelf.ever
        else:
            assert school.shelf.content(one.kind, one.key) == one.content
    assert school.waiting() == 0
    with school.inbox() as inbox:
        assert inbox.stored_bytes() == 0
        assert inbox.told() == (school.log.incarnation if school.log.rows else inbox.told()[0], school.log.head.place)
    assert now(school.gateway.news()) == []


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_on_the_way_down_are_refused_or_change_nothing(rubbish: bytes):
    """D14: signed by the gateway's own key, and nothing that an honest one says."""
    school = School()
    for kind in (MessageKind.NEWS, MessageKind.OFFER, MessageKind.PART):
        message = sign(kind, rubbish, key=KEY, school=SCHOOL, box=BOX, channel="down")
        with school.outbox() as outbox:
            school.box.receive(outbox, message)
        school.settle()
    assert school.waiting() == 0


def test_while_the_line_may_carry_little_a_large_document_is_not_asked_for():
    """A metered line counts both ways; what is small, and results need, comes all the same."""
    school = School()
    school.log.append("assignment", "small", large(1, MAX_INLINE_BYTES + 100))
    school.log.append("assignment", "large", large(2, 40_000))
    school.box.restraint = Restraint.RESULTS_FIRST
    school.calm()
    assert (school.waiting(), school.shelf.content("assignment", "small") is None) == (1, False)
    given = school.log.given
    school.calm()
    assert school.log.given == given
    school.box.restraint = Restraint.NONE
    school.calm()
    assert arrived(school)
