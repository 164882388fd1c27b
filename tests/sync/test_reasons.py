"""What a broker's reason codes lead to (docs/delivery.md, Reason codes)."""

from __future__ import annotations

import pickle
import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homework.errors import ClassboxError
from sync.connection import LINE_ERRORS, trouble_of
from sync.reasons import LineBroken, Meaning, OldBroker, Overloaded, Refused, failure, meaning_of, tls_trouble


@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        (0x00, Meaning.TAKEN),
        (0x10, Meaning.NOBODY),
        (0x83, Meaning.LATER),
        (0x84, Meaning.VERSION),
        (0x85, Meaning.NAME),
        (0x86, Meaning.LOGIN),
        (0x87, Meaning.SHUT_OUT),
        (0x8A, Meaning.SHUT_OUT),
        (0x88, Meaning.LATER),
        (0x89, Meaning.LATER),
        (0x8B, Meaning.LATER),
        (0x8D, Meaning.LINE),
        (0x8E, Meaning.DOUBLE),
        (0x95, Meaning.TOO_LARGE),
        (0x97, Meaning.LATER),
        (0x98, Meaning.LINE),
        (0x99, Meaning.NEVER),
        (0x9D, Meaning.ELSEWHERE),
        (0x9E, Meaning.CANNOT),
    ],
)
def test_each_reason_has_its_meaning(code: int, meaning: Meaning):
    assert meaning_of(code) is meaning


def test_all_that_3_1_1_can_say_against_a_topic_is_told_to_a_person_and_as_an_answer_to_a_message_it_passes():
    assert isinstance(failure(0x80, "Failure", of_subscribe=True), Refused)
    assert isinstance(failure(0x80, "Unspecified error"), Overloaded)


@given(st.integers(0x80, 0xFF), st.booleans())
def test_whatever_a_broker_refuses_ends_in_a_line_that_is_taken_up_again_or_in_words_for_a_person(
    code: int, of_subscribe: bool
):
    error = failure(code, "why", of_subscribe=of_subscribe)
    trouble = trouble_of(error)
    if isinstance(error, LINE_ERRORS):
        assert trouble is None
    else:
        assert trouble is error
        assert isinstance(error, ClassboxError)
        assert error.remedy


def test_a_version_that_is_not_spoken_and_a_quota_are_told_apart_from_a_broken_line():
    assert isinstance(failure(0x84, "Unsupported protocol version"), OldBroker)
    assert isinstance(failure(0x97, "Quota exceeded"), Overloaded)
    assert type(failure(0x98, "Administrative action")) is LineBroken


def test_a_refusal_survives_the_way_between_processes():
    error = pickle.loads(pickle.dumps(Refused(Meaning.TOO_LARGE, "1 > 0")))
    assert (str(error), error.meaning, error.concerns_one_message) == (
        str(Refused(Meaning.TOO_LARGE, "1 > 0")),
        Meaning.TOO_LARGE,
        True,
    )


def test_of_tls_only_what_a_person_can_put_right_is_shown():
    revoked = ssl.SSLError(1, "[SSL: SSLV3_ALERT_CERTIFICATE_REVOKED] sslv3 alert certificate revoked")
    revoked.reason = "SSLV3_ALERT_CERTIFICATE_REVOKED"
    assert isinstance(tls_trouble(revoked), Refused)
    strange = ssl.SSLCertVerificationError(1, "certificate verify failed")
    strange.verify_message = "self-signed certificate"
    assert "self-signed" in str(trouble_of(strange))
    cut = ssl.SSLError(8, "EOF occurred in violation of protocol")
    assert tls_trouble(cut) is None
    assert tls_trouble(ConnectionResetError()) is None
