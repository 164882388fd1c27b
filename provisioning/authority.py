"""The certificate authority of a gateway: says who is who on the broker, and who is no longer.

One folder holds all of it: the authority's own key and certificate in one file, so that there is never one without
the other; every certificate that it gave out under its serial number; a mark for each that it took back. Nothing in
it is rewritten, so that two commands at once cost neither its work.

Keys are ECDSA on P-256 (FIPS 186-5), certificates follow RFC 5280. Nobody is an authority under this one.
"""

from __future__ import annotations

import ipaddress
import os
import re
import secrets
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from homework.errors import BadFileError, ClassboxError, UsageError
from sync.topics import client_id
from sync.whole_files import fsync_folder, write_whole

GATEWAY = "classgate"
"""The gateway's name on the broker. No box can have it: theirs have a slash."""
_FILE = "authority.pem"
_BEGAN = datetime(2025, 1, 1, tzinfo=UTC)
"""From when on all is valid: nothing rests on it, and a broker whose clock is behind must not turn boxes away."""
_AUTHORITY_LASTS = timedelta(days=20 * 365)
_LASTS = timedelta(days=10 * 365)
"""Longer than a box: nobody gives out new ones by hand in time, and what is stolen is taken back, not waited for."""
_HOST = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*")


def gateway_name(number: int) -> str:
    """What the first, the second … of several gateways is called: the broker lets nobody in twice under one name."""
    return GATEWAY if number == 1 else f"{GATEWAY}-{number}"


class Issued(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate and, unless its owner made it, its private key. Both PEM. Valid `until`."""

    certificate: bytes
    key: bytes | None
    serial: int
    until: datetime

    def __repr__(self) -> str:
        return f"Issued(serial={self.serial:x}, until={self.until:%Y-%m-%d})"  # keys never reach a log


class Authority:
    """An authority in its folder. `open` makes it ready."""

    def __init__(self, folder: Path, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
        self._folder = folder
        self._key = key
        self._own = certificate

    @classmethod
    def open(cls, folder: Path, *, now: datetime) -> Authority:
        """The authority in `folder`, made when there is none; its key is its owner's only.

        Raises `BadFileError` when the file is damaged, `ClassboxError` when the folder cannot be used or the clock
        shows a time before there was Classbox.
        """
        path = folder / _FILE
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not path.exists():
                _make(path, _new_authority(_checked(now)))
            stored = path.read_bytes()
        except OSError as error:
            raise _unusable(folder, error) from error
        try:
            key = serialization.load_pem_private_key(stored, password=None)
            certificate = x509.load_pem_x509_certificate(stored)
        except ValueError as error:
            raise _damaged(path) from error
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
            raise _damaged(path)
        return cls(folder, key, certificate)

    @property
    def certificate(self) -> bytes:
        """The authority's own certificate, PEM: whoever trusts it trusts all that it says."""
        return _pem(self._own)

    def for_box(self, school: str, box: str, *, now: datetime, request: bytes | None = None) -> Issued:
        """A certificate called `{school}/{box}`. With a `request` (PKCS#10, PEM) the box keeps its key to itself.

        What the request calls itself is not looked at. Raises `BadTopic` for names that cannot stand in a topic,
        `BadFileError` for a request that is none or whose key is weak.
        """
        return self._issue(client_id(school, box), ExtendedKeyUsageOID.CLIENT_AUTH, now=now, request=request)

    def for_gateway(self, number: int = 1, *, now: datetime) -> Issued:
        """The certificate of a gateway, called `gateway_name(number)`."""
        return self._issue(gateway_name(number), ExtendedKeyUsageOID.CLIENT_AUTH, now=now)

    def for_broker(self, addresses: Sequence[str], *, now: datetime) -> Issued:
        """The broker's certificate for the names and IP addresses under which boxes reach it.

        Raises `UsageError` for an address that is none.
        """
        names = x509.SubjectAlternativeName([_address(address) for address in addresses])
        return self._issue("broker", ExtendedKeyUsageOID.SERVER_AUTH, now=now, names=names)

    def serials_of(self, school: str, box: str) -> tuple[int, ...]:
        """The serial numbers of every certificate that a box was given."""
        name = client_id(school, box)
        return tuple(c.serial_number for c in self._given() if _name_of(c) == name)

    def denied(self) -> tuple[tuple[str, str], ...]:
        """The boxes (school, box) of which every certificate was taken back."""
        mine = [(_name_of(c), self._place("revoked", c.serial_number).exists()) for c in self._given()]
        gone = {name for name, revoked in mine if revoked} - {name for name, revoked in mine if not revoked}
        return tuple(sorted((school, box) for school, slash, box in (n.partition("/") for n in gone) if slash))

    def revoke(self, serial: int, *, now: datetime) -> None:
        """Take a certificate back for good; once more changes nothing. Raises `UsageError` for one never given."""
        if not self._place("given", serial).exists():
            raise UsageError(
                "No certificate {serial} was given out here.", remedy="Check the name.", serial=f"{serial:x}"
            )
        if not self._place("revoked", serial).exists():
            self._write(self._place("revoked", serial), _checked(now).isoformat().encode())

    def revocations(self, *, now: datetime) -> bytes:
        """The list of what was taken back (CRL, PEM).

        It is good as long as the authority: a broker refuses everybody under a list that ran out, and this one is
        written anew when something is taken back and not by the calendar.
        """
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self._own.subject)
            .last_update(_BEGAN)
            .next_update(self._own.not_valid_after_utc)
            .add_extension(x509.CRLNumber(int(_checked(now).timestamp())), critical=False)
            .add_extension(_issued_by(self._key), critical=False)
        )
        for path in sorted((self._folder / "revoked").glob("[0-9a-f]*")):
            revoked = (
                x509.RevokedCertificateBuilder()
                .serial_number(int(path.stem, 16))
                .revocation_date(datetime.fromisoformat(path.read_text()))
            )
            builder = builder.add_revoked_certificate(revoked.build())
        return builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def _issue(
        self,
        name: str,
        usage: x509.ObjectIdentifier,
        *,
        now: datetime,
        request: bytes | None = None,
        names: x509.SubjectAlternativeName | None = None,
    ) -> Issued:
        key = ec.generate_private_key(ec.SECP256R1()) if request is None else None
        public = key.public_key() if key is not None else _asked_for(request)
        until = min(_checked(now) + _LASTS, self._own.not_valid_after_utc)
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(self._own.subject)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(_BEGAN)
            .not_valid_after(until)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            # One way only: with a box's certificate nobody can pass for the broker.
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(_issued_by(self._key), critical=False)
        )
        if names is not None:
            builder = builder.add_extension(names, critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        self._write(self._place("given", certificate.serial_number), _pem(certificate))
        return Issued(
            certificate=_pem(certificate),
            key=None if key is None else _private(key),
            serial=certificate.serial_number,
            until=until,
        )

    def _given(self) -> Iterator[x509.Certificate]:
        for path in sorted((self._folder / "given").glob("[0-9a-f]*")):
            yield x509.load_pem_x509_certificate(path.read_bytes())

    def _place(self, what: str, serial: int) -> Path:
        return self._folder / what / f"{serial:x}"

    def _write(self, path: Path, body: bytes) -> None:
        try:
            path.parent.mkdir(exist_ok=True, mode=0o700)
            write_whole(path, body, mode=0o600)
        except OSError as error:
            raise _unusable(self._folder, error) from error


def _make(path: Path, body: bytes) -> None:
    """Written beside and linked into place, so that two programs that start at once agree on one authority."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    write_whole(beside, body, mode=0o600)
    try:
        os.link(beside, path)
    except FileExistsError:
        pass
    finally:
        beside.unlink()
    fsync_folder(path.parent)


def _new_authority(now: datetime) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    # With part of the key in the name, two authorities in one list can be told apart.
    own_name = f"Classbox authority {identifier.digest.hex()[:8]}"
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, own_name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_BEGAN)
        .not_valid_after(now + _AUTHORITY_LASTS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(identifier, critical=False)
        .sign(key, hashes.SHA256())
    )
    return _private(key) + _pem(certificate)


def _asked_for(request: bytes | None) -> ec.EllipticCurvePublicKey:
    """The key of a request whose maker has shown to hold its other half."""
    try:
        asked = x509.load_pem_x509_csr(request or b"")
        key = asked.public_key()
        proven = asked.is_signature_valid
    except (ValueError, InvalidSignature, UnsupportedAlgorithm) as error:
        raise _no_request() from error
    if not proven or not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.key_size < 256:
        raise _no_request()
    return key


def _address(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        pass
    if len(text) > 253 or _HOST.fullmatch(text) is None:
        raise UsageError(
            "“{address}” is not the address of a broker.",
            remedy="Write a name or an IP address without a port, like broker.school.example or 192.168.1.10.",
            address=text,
        )
    return x509.DNSName(text)


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _issued_by(key: ec.EllipticCurvePrivateKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())


def _name_of(certificate: x509.Certificate) -> str:
    return str(certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _checked(now: datetime) -> datetime:
    if now < _BEGAN:
        raise ClassboxError("This machine's clock shows {year}.", remedy="Set the date, then try again.", year=now.year)
    return now


def _damaged(path: Path) -> BadFileError:
    return BadFileError(
        "The authority's file {path} is damaged.",
        remedy="Put it back from a backup; with a new one every box needs a new certificate.",
        path=path,
    )


def _no_request() -> BadFileError:
    return BadFileError(
        "This is not a request for a certificate with a key on P-256 or better.",
        remedy="Make it with `openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256`.",
    )


def _unusable(folder: Path, error: OSError) -> ClassboxError:
    return ClassboxError(
        "The authority's folder {path} cannot be used: {reason}.",
        remedy="Check that the disk has room and that the folder is yours.",
        path=folder,
        reason=error.strerror,
    )
