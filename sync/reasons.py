"""What a broker's reason codes mean for us, and which of them are a person's business. Pure.

MQTT 5.0, section 2.4. MQTT 3.1.1 knows reasons for a CONNACK alone (section 3.2.2.3); its SUBACK knows one.
"""

from __future__ import annotations

import ssl
from enum import Enum, auto

from homework.errors import ClassboxError


class Meaning(Enum):
    """What follows from a reason code."""

    TAKEN = auto()
    NOBODY = auto()
    """Taken, and nobody had subscribed to it."""
    LINE = auto()
    """What a line does all the time: it is taken up again."""
    LATER = auto()
    """The broker has too much to do, or we asked too much of it: the same again later, and seldom."""
    VERSION = auto()
    """It does not speak this version of MQTT."""
    SHUT_OUT = auto()
    """We may not do this, or not be there at all."""
    LOGIN = auto()
    NAME = auto()
    ELSEWHERE = auto()
    DOUBLE = auto()
    """Somebody else has come under our name."""
    TOO_LARGE = auto()
    """This message, whatever comes after it."""
    NEVER = auto()
    """This message in this form, however often it is sent."""
    CANNOT = auto()
    """The broker lacks something that we need."""


_MEANINGS = {
    Meaning.TAKEN: (0x00, 0x01, 0x02),
    Meaning.NOBODY: (0x10,),
    Meaning.LATER: (0x80, 0x83, 0x88, 0x89, 0x8B, 0x96, 0x97, 0x9F),
    Meaning.VERSION: (0x84,),
    Meaning.SHUT_OUT: (0x87, 0x8A),
    Meaning.LOGIN: (0x86, 0x8C),
    Meaning.NAME: (0x85,),
    Meaning.ELSEWHERE: (0x9C, 0x9D),
    Meaning.DOUBLE: (0x8E,),
    Meaning.TOO_LARGE: (0x95,),
    Meaning.NEVER: (0x81, 0x82, 0x90, 0x99),
    Meaning.CANNOT: (0x8F, 0x9A, 0x9B, 0x9E, 0xA1, 0xA2),
}
_BY_CODE = {code: meaning for meaning, codes in _MEANINGS.items() for code in codes}
_REFUSED_311 = 0x80
"""All that a SUBACK of MQTT 3.1.1 can say against a topic."""

_WORDS = {
    Meaning.SHUT_OUT: (
        "The broker refuses what this machine sends or asks for: {reason}.",
        "If the box was locked out, enrol it again and give it a new certificate. If not, check the access list.",
    ),
    Meaning.LOGIN: (
        "The broker does not accept the user name or the password.",
        "Both stand in the broker's address: check it.",
    ),
    Meaning.NAME: (
        "The broker does not accept the name under which this machine connects: {reason}.",
        "Check the names of school and box, and what the broker asks of client ids.",
    ),
    Meaning.ELSEWHERE: (
        "The broker says that another one is to be used: {reason}.",
        "Change the broker's address.",
    ),
    Meaning.DOUBLE: (
        "Another machine connects under the same name, and takes the line away.",
        "Look for a copied card, or for the program running twice. A second box needs a name of its own.",
    ),
    Meaning.TOO_LARGE: (
        "The broker takes no message as large as one that waits here: {reason}.",
        "Let the broker take messages of 2 MiB. All else is sent meanwhile, this one again the next day at the latest.",
    ),
    Meaning.NEVER: (
        "The broker does not take a message that waits here: {reason}.",
        "Ask whoever runs the broker for its rules. All else is sent meanwhile.",
    ),
    Meaning.CANNOT: (
        "The broker cannot do what is needed here: {reason}.",
        "Use a broker that can, mosquitto for instance.",
    ),
}
"""Message and remedy of what a person has to put right."""


class LineBroken(Exception):  # noqa: N818 - says what it is
    """The line is down, or the broker said something that a line does all the time."""


class Overloaded(LineBroken):
    """The broker wants less for a while."""


class OldBroker(LineBroken):
    """The broker does not speak this version of MQTT, or ended the connection instead of saying so."""


class Refused(ClassboxError):  # noqa: N818 - says what it is
    """The broker said no, and only a person can change that. `meaning` is one of those that have words."""

    def __init__(self, meaning: Meaning, reason: str) -> None:
        message, remedy = _WORDS[meaning]
        super().__init__(message, remedy=remedy, reason=reason)
        self.meaning, self.reason = meaning, reason

    def __reduce__(self) -> tuple[type[Refused], tuple[Meaning, str]]:
        return Refused, (self.meaning, self.reason)

    @property
    def concerns_one_message(self) -> bool:
        """Whether everything else may go on."""
        return self.meaning in (Meaning.TOO_LARGE, Meaning.NEVER)


def meaning_of(code: int, *, of_subscribe: bool = False) -> Meaning:
    """What a reason code of any packet means; one that nobody knows yet is a line's matter."""
    if of_subscribe and code == _REFUSED_311:
        return Meaning.SHUT_OUT
    return _BY_CODE.get(code, Meaning.LINE)


def failure(code: int, reason: str, *, of_subscribe: bool = False) -> Exception:
    """The error for a code that is not a success: `LineBroken`, one of its kinds, or `Refused`."""
    meaning = meaning_of(code, of_subscribe=of_subscribe)
    text = f"{reason} (0x{code:02X})"
    if meaning in _WORDS:
        return Refused(meaning, text)
    if meaning is Meaning.LATER:
        return Overloaded(text)
    return OldBroker(text) if meaning is Meaning.VERSION else LineBroken(text)


def tls_trouble(error: BaseException | None) -> ClassboxError | None:
    """What a person should read of an error of TLS; None for one that a line may cause."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return ClassboxError(
            "What answers at the broker's address is not the school's broker: {reason}.",
            remedy="Check the network, the broker's address and its `ca`.",
            reason=error.verify_message or error,
        )
    if isinstance(error, ssl.SSLError) and "ALERT" in (reason := getattr(error, "reason", None) or ""):
        if "REVOKED" in reason:
            return Refused(Meaning.SHUT_OUT, "certificate revoked")
        if "CERT" in reason or "UNKNOWN_CA" in reason:
            return ClassboxError(
                "The broker does not accept this machine's certificate: {reason}.",
                remedy="Ask for a new one: `classgate box certificate`.",
                reason=reason,
            )
    return None
