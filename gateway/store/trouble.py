"""Tells a store in trouble from a record that it refuses, and says in words what to do about the trouble."""

from __future__ import annotations

from asyncpg.exceptions import InternalClientError
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from homework.errors import ClassboxError
from sync.errors import StoreTrouble

_OF_THE_DATA = ("22", "23", "54")
"""Classes of SQLSTATE that blame what was sent: data exception, integrity constraint, program limit (PostgreSQL's
appendix A). Whatever else it says is about the server, its disk or its locks."""
_PASSING = ("40001", "40P01")
"""Serialisation failure and deadlock: one of two gave way to the other."""


def in_trouble(error: Exception) -> bool:
    """Whether the store itself is in trouble (disk, lock, connection, data folder), whatever it was given."""
    if isinstance(error, DBAPIError):
        state = _sqlstate(error)
        if error.connection_invalidated:
            return True
        if state is not None:
            return not state.startswith(_OF_THE_DATA)
        if type(error) is DBAPIError:  # what the driver of PostgreSQL says without a code of the server's
            return True
    if isinstance(error, InternalClientError):  # its line broke in the middle of a word; SQLAlchemy lets it through
        return True
    return isinstance(error, OSError | OperationalError | InterfaceError | PoolTimeoutError | ClassboxError)


def trouble_of(error: Exception) -> StoreTrouble:
    """What a person should read of an error for which `in_trouble` holds."""
    state = _sqlstate(error) or ""
    reason = _reason(error)
    if state in ("28P01", "28000"):
        return StoreTrouble(
            "The database refuses the user or the password: {reason}.",
            remedy="Check both in [store] url, and pg_hba.conf on the server.",
            reason=reason,
        )
    if state == "3D000":
        return StoreTrouble(
            "The server has no such database: {reason}.",
            remedy="Make it with `createdb`, or check the name in [store] url.",
            reason=reason,
        )
    if state in ("53100", "53200") or "disk is full" in reason:
        return StoreTrouble(
            "The database has no room left: {reason}.",
            remedy="Make room on its disk. Nothing is lost meanwhile: the boxes keep what is not stored here.",
            reason=reason,
        )
    if state == "53300":
        return StoreTrouble(
            "The database takes no further connection: {reason}.",
            remedy="Raise max_connections on the server, or lower connections under [store].",
            reason=reason,
        )
    if state in ("25006", "55000"):
        return StoreTrouble(
            "The database can only be read: {reason}.",
            remedy="Let [store] url name the primary server and not a standby.",
            reason=reason,
        )
    if state == "42501":
        return StoreTrouble(
            "The database's user may not do that: {reason}.",
            remedy="Let the user of [store] url own the database.",
            reason=reason,
        )
    return StoreTrouble(
        "The database cannot be used: {reason}.",
        remedy="Check that the disk has room, that the folder is yours, and [store] url in the configuration.",
        passing=state in _PASSING,
        reason=reason,
    )


def _sqlstate(error: Exception) -> str | None:
    """PostgreSQL's code for an error; None where there is none."""
    for one in (error, getattr(error, "orig", None)):
        for cause in (one, getattr(one, "__cause__", None)):  # SQLAlchemy's own stand-in hides that of a connect
            state = getattr(cause, "sqlstate", None)
            if isinstance(state, str):
                return state
    return None


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and not isinstance(error, ConnectionError):
        return error.strerror or str(error) or type(error).__name__
    said = str(getattr(error, "orig", None) or error)
    return said.splitlines()[0].rpartition(">: ")[2].rstrip(".") if said else type(error).__name__
