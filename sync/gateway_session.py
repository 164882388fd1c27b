"""The gateway's half of the protocol without any transport: messages in, messages out, the store behind a port."""

from __future__ import annotations

import contextlib
import logging
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sync.down_messages import Downward, News, Offer, Part, Want, decode_want, encode_downward, is_want
from sync.envelope import MAX_FRAME_BYTES, Envelope, decode_envelope
from sync.errors import BadTopic, FutureVersion, StoreTrouble, WireError
from sync.greeting import encode_greeting, own_greeting
from sync.ingest import Ingest
from sync.offers import DownLog, offer_of, part_of
from sync.receipts import MAX_RECEIPTS, Receipt, encode_receipts
from sync.seldom import Seldom
from sync.state import BoxState, decode_box_state
from sync.topics import parse_topic, topic

_log = logging.getLogger(__name__)
MAX_BATCH_BYTES = MAX_FRAME_BYTES
"""What the envelopes of one transaction may unpack to: many of them cost no more memory than the largest one."""

_PARTS_AT_ONCE = 16
"""Of one box in a batch: an honest one has four on the way."""


class Message(NamedTuple):
    """One MQTT message: topic and payload."""

    topic: str
    payload: bytes


class Wanted(NamedTuple):
    """A part that a box wants."""

    school: str
    box: str
    want: Want


class GatewaySession:
    """Turns what boxes publish into calls of an `Ingest`, and its receipts into answers."""

    def __init__(self, ingest: Ingest, *, down_log: DownLog | None = None, software: str = "") -> None:
        """`software` is this program's version, for people who have to tell which one is too old.

        Without a `down_log` no documents go down.
        """
        self._ingest, self._down_log, self._software = ingest, down_log, software
        self.counts: Counter[str] = Counter()
        self._told: dict[tuple[str, str], int] = {}
        """The boxes that are there, and up to which place of their school's log they know that it reaches."""
        self._worth_a_line = Seldom()

    async def handle(self, messages: Sequence[Message]) -> list[Message]:
        """Take in a batch of messages in order and return the answers to publish.

        What is malformed or forged is logged and dropped. A batch that unpacks to more than `MAX_BATCH_BYTES` goes
        to the store in several transactions. When the store fails on one, its envelopes are tried one by one, so
        that none costs the others; those that fail get no receipt and come again. So do all when the store itself is
        in trouble.
        """
        answers: defaultdict[tuple[str, str], list[Receipt]] = defaultdict(list)
        envelopes: list[Envelope] = []
        size = 0
        states: list[BoxState] = []
        keys = await self._keys(messages)
        wants: defaultdict[tuple[str, str], set[Want]] = defaultdict(set)
        for message in messages:
            opened = self._opened(message, keys)
            if isinstance(opened, Wanted):
                wants[opened.school, opened.box].add(opened.want)
            elif isinstance(opened, Envelope):
                if size + opened.unpacked_bytes > MAX_BATCH_BYTES:
                    await self._take(envelopes, answers)
                    envelopes, size = [], 0
                envelopes.append(opened)
                size += opened.unpacked_bytes
            elif opened is not None:
                states.append(opened)
        await self._take(envelopes, answers)
        for state, receipts in await self._standing(states):
            answers[state.school, state.box].extend(receipts)
        asked = {(state.school, state.box, state.challenge): state for state in states if state.online}
        greetings = [self._greeting(state, keys[state.school, state.box]) for state in asked.values()]
        receipts_first = greetings + [
            Message(
                topic(school, box, "down"),
                encode_receipts(receipts[start : start + MAX_RECEIPTS], school=school, box=box, key=keys[school, box]),
            )
            for (school, box), receipts in answers.items()
            for start in range(0, len(receipts), MAX_RECEIPTS)
        ]
        return receipts_first + [
            Message(topic(*name, "down"), encode_downward(message, school=name[0], box=name[1], key=keys[name]))
            for name, message in await self._downward(states, wants)
        ]

    async def news(self) -> list[Message]:
        """What to publish because the schools' logs have grown, whichever process added to them."""
        if self._down_log is None or not self._told:
            return []
        heads = await self._down_log.heads()
        found: list[Message] = []
        for name, told in list(self._told.items()):
            head = heads.get(name[0])
            if head is None or head.place <= told:
                continue
            self._told[name] = head.place
            key = await self._ingest.box_key(*name)
            if key is None:
                del self._told[name]
                continue
            news = News(head.incarnation, head.place)
            found.append(Message(topic(*name, "down"), encode_downward(news, school=name[0], box=name[1], key=key)))
        return found

    async def _downward(
        self, states: Sequence[BoxState], wants: Mapping[tuple[str, str], set[Want]]
    ) -> list[tuple[tuple[str, str], Downward]]:
        """What answers hellos and wishes, and for which box."""
        # Of the hellos that together name all epochs only the last one says what the box was told.
        latest = {(state.school, state.box): state for state in states if state.having is not None or not state.online}
        found: list[tuple[tuple[str, str], Downward]] = []
        for name, state in latest.items():
            offer = await self._offer(name, state)
            found += [] if offer is None else [(name, offer)]
        for name, asked in wants.items():
            found += [(name, part) for part in await self._parts(name, asked)]
        return found

    async def _offer(self, name: tuple[str, str], state: BoxState) -> Offer | None:
        if self._down_log is None:
            return None
        if state.having is None:
            self._told.pop(name, None)
            return None
        try:
            look = await self._down_log.look(state)
        except Exception:  # noqa: BLE001 - as with receipts: a box that hears nothing asks again
            _log.exception("the store cannot tell what there is for %s/%s", *name)
            return None
        if look is None:
            return None
        self._told[name] = look.head.place
        return offer_of(look, state)

    async def _parts(self, name: tuple[str, str], asked: set[Want]) -> list[Part | News]:
        """The parts that a box wants, a few at once; where there is nothing (more), the news of where the log ends."""
        if self._down_log is None:
            return []
        found: list[Part | News] = []
        try:
            for want in sorted(asked, key=lambda one: (one.place, one.offset))[:_PARTS_AT_ONCE]:
                part = part_of(await self._down_log.part(name[0], want), want)
                if part is not None:
                    found.append(part)
            if not found and (head := (await self._down_log.heads()).get(name[0])) is not None:
                found.append(News(head.incarnation, head.place))
        except Exception:  # noqa: BLE001 - as above
            _log.exception("the store cannot give what %s/%s wants", *name)
        return found

    def _opened(self, message: Message, keys: Mapping[tuple[str, str], bytes]) -> Envelope | BoxState | Wanted | None:
        try:
            where = parse_topic(message.topic)
            key = keys.get((where.school, where.box))
            if key is None:
                return None
            if where.channel == "up" and is_want(message.payload):
                want = decode_want(message.payload, school=where.school, box=where.box, key=key)
                return Wanted(where.school, where.box, want)
            if where.channel == "up":
                return decode_envelope(message.payload, school=where.school, box=where.box, key=key)
            if where.channel == "state" and message.payload:
                return decode_box_state(message.payload, school=where.school, box=where.box, key=key)
        except BadTopic:
            if self._worth_a_line(BadTopic.__name__):
                _log.warning("a message on a topic that is not ours was dropped")
        except WireError as error:
            self.counts["newer messages"] += isinstance(error, FutureVersion)
            if self._worth_a_line((message.topic, type(error))):
                _log.warning("%s: %s", message.topic, error)
        except Exception as error:  # noqa: BLE001 - whatever the bytes of one box do, the others are heard
            if self._worth_a_line((message.topic, type(error))):
                _log.exception("%s: a message was dropped", message.topic)
        return None

    async def _keys(self, messages: Sequence[Message]) -> Mapping[tuple[str, str], bytes]:
        """The keys of the boxes that these messages say they are of."""
        names: set[tuple[str, str]] = set()
        for message in messages:
            with contextlib.suppress(BadTopic):  # told when it is its turn
                where = parse_topic(message.topic)
                names.add((where.school, where.box))
        return await self._keys_of(names)

    async def _keys_of(self, names: set[tuple[str, str]]) -> Mapping[tuple[str, str], bytes]:
        """Their keys. None at all while the store cannot tell them: then nothing is taken in, and all comes again."""
        if not names:
            return {}
        try:
            keys = await self._ingest.box_keys(names)
        except StoreTrouble as trouble:
            self._say(trouble)
            return {}
        except Exception:  # noqa: BLE001 - as below: what is wrong with the key of one box costs the others nothing
            if len(names) == 1:
                _log.exception("the store cannot tell the key of %s/%s", *next(iter(names)))
                return {}
            return {name: key for one in names for name, key in (await self._keys_of({one})).items()}
        for name in sorted(names - keys.keys()):
            if self._worth_a_line(name):
                _log.warning("%s/%s is not enrolled here: its messages are dropped", *name)
        return keys

    def _greeting(self, state: BoxState, key: bytes) -> Message:
        greeting = own_greeting(state.challenge, self._software)
        where = topic(state.school, state.box, "down")
        return Message(where, encode_greeting(greeting, school=state.school, box=state.box, key=key))

    async def _take(self, envelopes: list[Envelope], answers: dict[tuple[str, str], list[Receipt]]) -> None:
        for envelope, receipt in await self._taken(envelopes):
            answers[envelope.school, envelope.box].append(receipt)

    async def _taken(self, envelopes: list[Envelope]) -> list[tuple[Envelope, Receipt]]:
        if not envelopes:
            return []
        try:
            return list(zip(envelopes, await self._ingest.take(envelopes), strict=True))
        except StoreTrouble as trouble:  # no envelope is to blame, and none would fare better alone
            self._say(trouble)
            return []
        except Exception:  # noqa: BLE001 - the store may fail in any way; the boxes keep everything
            _log.exception("the store refused a batch of %d envelopes", len(envelopes))
            if len(envelopes) == 1:
                return []
        return [pair for envelope in envelopes for pair in await self._taken([envelope])]

    async def _standing(self, states: list[BoxState]) -> list[tuple[BoxState, Sequence[Receipt]]]:
        if not states:
            return []
        try:
            return list(zip(states, await self._ingest.standing(states), strict=True))
        except StoreTrouble as trouble:
            self._say(trouble)
            return []
        except Exception:  # noqa: BLE001 - as above: a box that hears nothing asks again
            _log.exception("the store cannot tell where %d boxes stand", len(states))
            if len(states) == 1:
                return []
        return [pair for state in states for pair in await self._standing([state])]

    def _say(self, trouble: StoreTrouble) -> None:
        if self._worth_a_line(StoreTrouble):
            _log.warning("nothing is taken in: %s", trouble)
