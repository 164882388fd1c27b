"""Who may sign in, and who is signed in: one SQLite file of the box's own, readable by its owner only.

Any process may write: `classbox teacher` on the box's terminal works while the box runs. Of tokens and PINs only
digests are kept.
"""

from __future__ import annotations

import os
import sqlite3
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import msgspec

from edge.access import lifetimes, pins
from edge.database import Database
from homework.errors import ClassboxError, UsageError, one_line
from sync.clock import Clock, ClockReading
from ui.sessions import Signed, new_token, token_digest

FILE_NAME = "access.sqlite"
_MIGRATIONS = (
    """
    CREATE TABLE person (
        id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, known_as TEXT NOT NULL UNIQUE, role TEXT NOT NULL,
        pin TEXT NOT NULL, made BLOB NOT NULL, life_ms INTEGER
    ) STRICT;
    CREATE TABLE session (
        digest BLOB PRIMARY KEY, person INTEGER NOT NULL REFERENCES person (id) ON DELETE CASCADE,
        made BLOB NOT NULL, seen BLOB NOT NULL, device TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE device (
        id INTEGER PRIMARY KEY AUTOINCREMENT, digest BLOB NOT NULL UNIQUE,
        person INTEGER NOT NULL REFERENCES person (id) ON DELETE CASCADE
    ) STRICT;
    CREATE TABLE setup (id INTEGER PRIMARY KEY CHECK (id = 1), code TEXT NOT NULL) STRICT
    """,
)
_SEEN_EVERY_MS = 5 * 60_000
"""So often a session's last use is written: a card is not worn by a page that is looked at."""
_LONGEST_NAME = 40
_MOST_PEOPLE = 60
_MOST_DEVICES = 500
_MOST_SESSIONS = 20
"""Of one person: the oldest are signed out."""


class AccessError(ClassboxError):
    """Signing in or letting somebody in did not work."""


class Role(StrEnum):
    """What a person may do. A substitute teaches for a day and lets nobody else in."""

    TEACHER = "teacher"
    SUBSTITUTE = "substitute"


@dataclass(frozen=True)
class Person:
    """Somebody who may sign in. `life_ms` after `made` a substitute's access is over; None: until it is taken away."""

    id: int
    name: str
    role: Role
    made: ClockReading
    life_ms: int | None
    sessions: int = 0


@dataclass(frozen=True)
class Lifetimes:
    """How long a session lasts without use, and at most."""

    idle_ms: int = 12 * lifetimes.HOUR_MS
    whole_ms: int = 30 * 24 * lifetimes.HOUR_MS


class AccessBook:
    """The people of one box and their sessions (`ui.sessions.SessionStore`)."""

    def __init__(self, data: Path, clock: Clock, *, lasting: Lifetimes | None = None) -> None:
        """Open or make the file in the box's data folder. Raises `DatabaseError`."""
        self._clock = clock
        self._lasting = lasting or Lifetimes()
        # The first use of a type by two threads at once crashes msgspec 0.22.
        self._reading = msgspec.msgpack.Decoder(ClockReading)
        path = data / FILE_NAME
        try:
            data.mkdir(parents=True, exist_ok=True)
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))  # SQLite's own files take the mode over
            path.chmod(0o600)
        except OSError as error:
            raise AccessError(
                "{path} cannot be written: {reason}.",
                remedy="Make room on the disk, or check who may write there.",
                path=path,
                reason=error.strerror,
            ) from error
        self._db = Database(path, migrations=_MIGRATIONS)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    # --- people -------------------------------------------------------------------------------------------

    def people(self) -> tuple[Person, ...]:
        """Everybody who may come in now, teachers first."""
        rows = self._db.read(
            "SELECT person.*, (SELECT count(*) FROM session WHERE session.person = person.id) AS sessions"
            " FROM person ORDER BY role = 'substitute', id"
        )
        now = self._clock.read()
        return tuple(person for person in map(self._person, rows) if not _is_over(person, now))

    def person(self, person_id: int) -> Person | None:
        """One of them, or None."""
        return next((person for person in self.people() if person.id == person_id), None)

    def called(self, name: str) -> Person | None:
        """The one of that name, or None."""
        return next((person for person in self.people() if known_as(person.name) == known_as(name)), None)

    def has_teacher(self) -> bool:
        """Whether anybody has been set up."""
        return bool(self._db.read("SELECT 1 FROM person WHERE role = 'teacher' LIMIT 1"))

    def add(self, name: str, pin: str, role: Role = Role.TEACHER) -> Person:
        """Let somebody in from now on; a substitute until the end of the day. Raises `UsageError`."""
        name, secret = _checked_name(name), pins.hashed(pins.checked_pin(pin))
        now = self._clock.read()
        life_ms = lifetimes.rest_of_day_ms(now) if role is Role.SUBSTITUTE else None
        with self._db.writing() as db:
            self._sweep(db, now)
            return self._insert(db, name=name, pin=secret, role=role, now=now, life_ms=life_ms)

    def remove(self, person_id: int) -> None:
        """Let somebody in no longer; their sessions end. Unknown ones are gone already."""
        with self._db.writing() as db:
            db.execute("DELETE FROM person WHERE id = ?", (person_id,))

    def set_pin(self, person_id: int, pin: str) -> None:
        """A new PIN; whoever was signed in with the old one is signed out. Raises `UsageError`."""
        secret = pins.hashed(pins.checked_pin(pin))
        with self._db.writing() as db:
            db.execute("UPDATE person SET pin = ? WHERE id = ?", (secret, person_id))
            db.execute("DELETE FROM session WHERE person = ?", (person_id,))
            db.execute("DELETE FROM device WHERE person = ?", (person_id,))

    def by_pin(self, name: str | None, pin: str) -> Person | None:
        """The person of that name and PIN; without a name the only one there is. Takes as long when there is nobody."""
        people = self.people()
        if name is None:
            found = people[0] if len(people) == 1 else None
        else:
            found = next((person for person in people if known_as(person.name) == known_as(name)), None)
        kept = self._db.read("SELECT pin FROM person WHERE id = ?", (found.id,)) if found is not None else []
        right = pins.matches("".join(pin.split()), kept[0]["pin"] if kept else None)
        return found if right else None

    # --- the first one ------------------------------------------------------------------------------------

    def setup_code(self) -> str | None:
        """The code that lets the first teacher in, made at the first call; None when there is one already."""
        with self._db.writing() as db:
            if db.execute("SELECT 1 FROM person WHERE role = 'teacher' LIMIT 1").fetchone():
                return None
            row = db.execute("SELECT code FROM setup").fetchone()
            if row is not None:
                return str(row["code"])
            code = pins.new_code()
            db.execute("INSERT INTO setup (id, code) VALUES (1, ?)", (code,))
            return code

    def first_teacher(self, code: str, name: str, pin: str) -> Person | None:
        """The first teacher, let in with the code, which is used up; None when it is wrong. Raises `UsageError`."""
        name, secret = _checked_name(name), pins.hashed(pins.checked_pin(pin))
        with self._db.writing() as db:
            row = db.execute("SELECT code FROM setup").fetchone()
            taken = db.execute("SELECT 1 FROM person WHERE role = 'teacher' LIMIT 1").fetchone()
            if row is None or taken or not pins.same_code(code, row["code"]):
                return None
            return self._insert(db, name=name, pin=secret, role=Role.TEACHER, now=self._clock.read(), life_ms=None)

    # --- sessions -----------------------------------------------------------------------------------------

    def open_session(self, person: int, device: str) -> str:
        token, now = new_token(), self._clock.read()
        with self._db.writing() as db:
            self._sweep(db, now)
            db.execute(
                "INSERT INTO session VALUES (?, ?, ?, ?, ?)",
                (token_digest(token), person, _packed(now), _packed(now), one_line(device, limit=80)),
            )
            rows = db.execute("SELECT digest, made FROM session WHERE person = ?", (person,)).fetchall()
            newest = sorted(rows, key=lambda row: self._reading.decode(row["made"]).wall_ms, reverse=True)
            keep = token_digest(token)
            for row in [row for row in newest if row["digest"] != keep][_MOST_SESSIONS - 1 :]:
                db.execute("DELETE FROM session WHERE digest = ?", (row["digest"],))
        return token

    def signed(self, token: str) -> Signed | None:
        return self.signed_by(token_digest(token), touch=True)

    def signed_by(self, session: bytes, *, touch: bool = False) -> Signed | None:
        """As `signed`, by the digest of the token; `touch` says that it is in use."""
        rows = self._db.read(
            "SELECT session.made AS opened, session.seen, person.* FROM session"
            " JOIN person ON person.id = session.person WHERE session.digest = ?",
            (session,),
        )
        if not rows:
            return None
        now, person = self._clock.read(), self._person(rows[0])
        seen = self._reading.decode(rows[0]["seen"])
        opened = self._reading.decode(rows[0]["opened"])
        lasts = lifetimes.within(seen, now, self._lasting.idle_ms) and lifetimes.within(
            opened, now, self._lasting.whole_ms
        )
        if not lasts or _is_over(person, now):
            return None
        if touch and not lifetimes.within(seen, now, _SEEN_EVERY_MS):
            self._touch(session, now)
        return Signed(session=session, person=person.id, name=person.name, role=person.role)

    def close_session(self, session: bytes) -> None:
        with self._db.writing() as db:
            db.execute("DELETE FROM session WHERE digest = ?", (session,))

    def count_sessions(self) -> int:
        """How many are signed in, those included whose time is over and who have not come back."""
        return int(self._db.read("SELECT count(*) AS n FROM session")[0]["n"])

    def know_device(self, person: int) -> str:
        """A token for a browser that has signed in once: others' wrong PINs do not make it wait."""
        token = new_token()
        with self._db.writing() as db:
            db.execute("INSERT INTO device (digest, person) VALUES (?, ?)", (token_digest(token), person))
            db.execute("DELETE FROM device WHERE id <= (SELECT max(id) FROM device) - ?", (_MOST_DEVICES,))
        return token

    def knows_device(self, token: str) -> bool:
        """Whether a browser has signed in before, by somebody who still may."""
        return bool(self._db.read("SELECT 1 FROM device WHERE digest = ?", (token_digest(token),)))

    # --- inside -------------------------------------------------------------------------------------------

    def _touch(self, session: bytes, now: ClockReading) -> None:
        try:
            with self._db.writing() as db:
                db.execute("UPDATE session SET seen = ? WHERE digest = ?", (_packed(now), session))
        except ClassboxError:
            return  # a full disk keeps nobody out

    def _insert(
        self, db: sqlite3.Connection, *, name: str, pin: str, role: Role, now: ClockReading, life_ms: int | None
    ) -> Person:
        if db.execute("SELECT count(*) FROM person").fetchone()[0] >= _MOST_PEOPLE:
            raise UsageError("Too many people have access.", remedy="Take it from those who left first.")
        try:
            cursor = db.execute(
                "INSERT INTO person (name, known_as, role, pin, made, life_ms) VALUES (?, ?, ?, ?, ?, ?)",
                (name, known_as(name), role.value, pin, _packed(now), life_ms),
            )
        except sqlite3.IntegrityError as error:
            raise UsageError("{name} has access already.", remedy="Choose another name.", name=name) from error
        assert cursor.lastrowid is not None
        if role is Role.TEACHER:
            db.execute("DELETE FROM setup")  # should the last teacher ever go, there is a new code
        return Person(cursor.lastrowid, name, role, now, life_ms)

    def _sweep(self, db: sqlite3.Connection, now: ClockReading) -> None:
        """Forget substitutes whose day is over, and sessions that can never be used again."""
        for row in db.execute("SELECT * FROM person WHERE life_ms IS NOT NULL").fetchall():
            if _is_over(self._person(row), now):
                db.execute("DELETE FROM person WHERE id = ?", (row["id"],))
        for row in db.execute("SELECT digest, seen FROM session").fetchall():
            if not lifetimes.within(self._reading.decode(row["seen"]), now, self._lasting.idle_ms):
                db.execute("DELETE FROM session WHERE digest = ?", (row["digest"],))

    def _person(self, row: sqlite3.Row) -> Person:
        return Person(
            id=row["id"],
            name=row["name"],
            role=Role(row["role"]),
            made=self._reading.decode(row["made"]),
            life_ms=row["life_ms"],
            sessions=row["sessions"] if "sessions" in row.keys() else 0,  # noqa: SIM118 - a Row iterates its values
        )


def known_as(name: str) -> str:
    """A name as it is compared: full width or half, any case, any blanks."""
    return "".join(unicodedata.normalize("NFKC", name).casefold().split())


def _checked_name(name: str) -> str:
    name = " ".join(one_line(name, limit=_LONGEST_NAME + 1).split())
    if not known_as(name) or len(name) > _LONGEST_NAME:
        raise UsageError(
            "A name is missing or too long.", remedy="Give one of at most {most} characters.", most=_LONGEST_NAME
        )
    return name


def _is_over(person: Person, now: ClockReading) -> bool:
    return person.life_ms is not None and lifetimes.lent_is_over(person.made, now, person.life_ms)


def _packed(reading: ClockReading) -> bytes:
    return msgspec.msgpack.encode(reading)
