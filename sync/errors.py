"""What can be wrong with bytes that came over the wire."""

from __future__ import annotations

import msgspec

from homework.errors import ClassboxError

DECODING = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that it cannot read. It recurses into nested arrays, also into those that it skips."""


class WireError(ClassboxError):
    """Bytes from another machine cannot be used. Nothing was stored because of them."""


class MalformedEnvelope(WireError):  # noqa: N818 - says what it is
    """The message is not one of ours, is cut short, or breaks a limit."""

    def __init__(self, why: str) -> None:
        super().__init__("The message cannot be read: {why}.", remedy="It is dropped; the box sends it again.", why=why)


class BadSignature(WireError):  # noqa: N818 - says what it is
    """The message was not made with the key of the box that it names."""

    def __init__(self) -> None:
        super().__init__(
            "The message does not carry the signature of its box.",
            remedy="Enrol the box again if it got a new card or a new key.",
        )


class FutureVersion(WireError):  # noqa: N818 - says what it is
    """A message or record of a version that this program does not know yet. Records are held, not lost."""

    def __init__(self, what: str, version: int) -> None:
        super().__init__(
            "What came ({what}) is of version {version}, newer than this program.",
            remedy="Update Classbox.",
            what=what,
            version=version,
        )
        self.version = version


class MalformedRecord(WireError):  # noqa: N818 - says what it is
    """A record that its own version's rules refuse. It is held, so that a person can look at it."""

    def __init__(self, why: str) -> None:
        super().__init__(
            "The record cannot be read: {why}.", remedy="It is kept: classgate held list shows it.", why=why
        )


class BadTopic(WireError):  # noqa: N818 - says what it is
    """A topic, a school or a box whose name breaks the rules."""

    def __init__(self, name: str) -> None:
        super().__init__(
            "“{name}” cannot name a school or a box.",
            remedy="Use 1 to 32 letters, digits, - and _ for schools and boxes.",
            name=name[:80],
        )


class StoreTrouble(ClassboxError):  # noqa: N818 - says what it is
    """The gateway's store itself is in trouble (away, full, locked), whatever it was given. Everything comes again.

    `passing` says that the same, tried again at once, may well succeed.
    """

    def __init__(self, message: str, *, remedy: str, passing: bool = False, **values: object) -> None:
        super().__init__(message, remedy=remedy, **values)
        self.passing = passing
