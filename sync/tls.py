"""TLS towards the broker on a machine that may not know what time it is.

A box without a battery clock wakes in 1970, or in whatever year its card remembers. Judged by that, every certificate
is not yet valid or has run out, and a box that cannot connect never learns the time. So OpenSSL is told to leave the
dates alone, and they are judged here against a time that has passed for sure (`sync.clock`): what had run out by
then has run out. Whether something is valid *yet* cannot be told from such a time, and need not be: whoever could
show a certificate before its day has the broker's key in his hand.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path

from cryptography import x509

from homework.errors import BadFileError

_NO_CHECK_TIME = 0x200000
"""`X509_V_FLAG_NO_CHECK_TIME` (OpenSSL, x509_vfy.h), which Python gives no name."""


def client_context(
    *, ca: str | None, cert: str | None, key: str | None, surely_ms: Callable[[], int]
) -> ssl.SSLContext:
    """What a client of a broker shows and asks for: TLS 1.3, the broker's name, an authority in `ca` (PEM).

    Without `ca` the system's authorities count. `cert` and `key` are the client's own, PEM. `surely_ms` tells a Unix
    time in milliseconds that has passed. Raises `BadFileError` when a file cannot be used, or has run out.
    """
    context = _Context(ssl.PROTOCOL_TLS_CLIENT)  # asks for a certificate, and compares the name
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_flags |= _NO_CHECK_TIME
    context.surely_ms = surely_ms
    try:
        if ca is None:
            context.load_default_certs(ssl.Purpose.SERVER_AUTH)
        else:
            context.load_verify_locations(ca)
            context.authorities = x509.load_pem_x509_certificates(Path(ca).read_bytes())
        if cert is not None:
            context.load_cert_chain(cert, key)
            ended = _first_ended(x509.load_pem_x509_certificates(Path(cert).read_bytes())[:1], surely_ms())
            if ended is not None:
                raise _ran_out(ended)
    except (OSError, ssl.SSLError, ValueError) as error:
        raise BadFileError(
            "The certificate for the broker cannot be used: {detail}.",
            remedy="Check ca, cert and key under [broker].",
            detail=error,
        ) from error
    return context


class _Secured(ssl.SSLObject):
    """Looks at the dates as soon as the other side has shown its certificate, before anything is said."""

    def do_handshake(self) -> None:
        super().do_handshake()
        shown = self.getpeercert(binary_form=True)
        assert isinstance(self.context, _Context)
        assert shown is not None  # one is asked for
        self.context.judge(x509.load_der_x509_certificate(shown))


class _Context(ssl.SSLContext):
    """A context with a clock of its own."""

    sslobject_class = _Secured  # what asyncio asks for
    surely_ms: Callable[[], int]
    authorities: Iterable[x509.Certificate] = ()

    def judge(self, shown: x509.Certificate) -> None:
        """Raise `ssl.SSLCertVerificationError` when a certificate, or the authority that it names, has run out."""
        signers = [one for one in self.authorities if one.subject == shown.issuer]
        ended = _first_ended([shown, *signers], self.surely_ms())
        if ended is not None:
            raise ssl.SSLCertVerificationError(f"the broker's certificate ran out on {ended:%Y-%m-%d}")


def _first_ended(certificates: Iterable[x509.Certificate], surely_ms: int) -> datetime | None:
    """When the first of several certificates ended, None when none has surely ended."""
    ends = (certificate.not_valid_after_utc for certificate in certificates)
    return min((end for end in ends if end.timestamp() * 1000 < surely_ms), default=None)


def _ran_out(when: datetime) -> BadFileError:
    return BadFileError(
        "The certificate for the broker ran out on {date}.",
        remedy="Ask for a new one: `classgate box certificate`.",
        date=when.date(),
    )
