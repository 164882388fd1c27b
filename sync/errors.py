"""What can be wrong with bytes that came over the wire."""

from __future__ import annotations

from homework.errors import ClassboxError


class WireError(ClassboxError):
    """Bytes from another machine cannot be used. Nothing was stored because of them."""


class MalformedEnvelope(WireError):  # noqa: N818 - says what it is
    """The message is not one of ours, is cut short, or breaks a limit."""

    def __init__(self, why: str) -> None:
        super().__init__(f"The message cannot be read: {why}.", remedy="It is dropped; the box sends it again.")


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
        super().__init__(f"This {what} is of version {version}, newer than this program.", remedy="Update Classbox.")
        self.version = version


class MalformedRecord(WireError):  # noqa: N818 - says what it is
    """A record that its own version's rules refuse. It is held, so that a person can look at it."""

    def __init__(self, why: str) -> None:
        super().__init__(f"The record cannot be read: {why}.", remedy="It is kept; look at it under devices.")


class BadTopic(WireError):  # noqa: N818 - says what it is
    """A topic, a school or a box whose name breaks the rules."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"“{name[:80]}” is not a name that can stand in a topic.",
            remedy="Use 1 to 32 letters, digits, - and _ for schools and boxes.",
        )
