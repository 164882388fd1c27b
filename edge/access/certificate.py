"""The box's own certificate: made at the first start, by the box, for the box. Nobody else has its key.

A box in a classroom has no name that an authority could vouch for, and often no network. So it signs for itself, shows
the fingerprint on its own screen, and whoever signs in for the first time compares. The key stays when the certificate
is made anew for other addresses.
"""

from __future__ import annotations

import hashlib
import ipaddress
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from homework.errors import ClassboxError
from sync.whole_files import write_whole

FOLDER = "certificate"
KEY_NAME, CERTIFICATE_NAME = "key.pem", "certificate.pem"
# A panel whose clock was never set lives in 1970; 2049 is the last year that the short form of dates can say
# (RFC 5280, 4.1.2.5), which every old browser reads.
_FROM, _UNTIL = datetime(1970, 1, 1, tzinfo=UTC), datetime(2049, 12, 31, tzinfo=UTC)
_MOST_NAMES = 24
_GROUP = 4


class CertificateError(ClassboxError):
    """The box's certificate cannot be made or read."""


@dataclass(frozen=True)
class Certificate:
    """Where the certificate is, and the SHA-256 of it (what browsers show) and of its public key (which stays)."""

    key_path: Path
    path: Path
    fingerprint: str
    key_fingerprint: str


def own_certificate(data: Path, names: Sequence[str], addresses: Sequence[str]) -> Certificate:
    """The box's certificate for these names and addresses, made or made anew when it lacks one of them.

    Names that it had stay: a box that goes back and forth between two networks keeps one certificate, and browsers that
    trusted it do not ask again. Raises `CertificateError`.
    """
    folder = data / FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        key = _own_key(folder)
        found = _read(folder / CERTIFICATE_NAME, key)
        wanted = [*dict.fromkeys([*names, *addresses])]
        had = _names(found) if found is not None else []
        if found is None or not set(wanted) <= set(had):
            found = _signed(key, [*dict.fromkeys([*wanted, *had])][:_MOST_NAMES])
            write_whole(folder / CERTIFICATE_NAME, found.public_bytes(serialization.Encoding.PEM), mode=0o644)
    except OSError as error:
        raise CertificateError(
            "The box's certificate in {folder} cannot be kept: {reason}.",
            remedy="Make room on the disk, or check who may write there.",
            folder=folder,
            reason=error.strerror,
        ) from error
    return Certificate(
        key_path=folder / KEY_NAME,
        path=folder / CERTIFICATE_NAME,
        fingerprint=found.fingerprint(hashes.SHA256()).hex().upper(),
        key_fingerprint=hashlib.sha256(_public(key)).hexdigest().upper(),
    )


def server_context(certificate: Certificate) -> ssl.SSLContext:
    """TLS 1.2 and later, with the ciphers that Python takes for good. Raises `CertificateError`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    use(context, certificate)
    return context


def use(context: ssl.SSLContext, certificate: Certificate) -> None:
    """Show this certificate from the next connection on. Raises `CertificateError`."""
    try:
        context.load_cert_chain(certificate.path, certificate.key_path)
    except (OSError, ssl.SSLError) as error:
        raise CertificateError(
            "The box's certificate cannot be used: {reason}.",
            remedy="Move the folder {folder} away; it is made anew, with another fingerprint.",
            folder=certificate.path.parent,
            reason=error,
        ) from error


def grouped(fingerprint: str) -> tuple[str, ...]:
    """A fingerprint in groups that can be read out and compared."""
    return tuple(fingerprint[at : at + _GROUP] for at in range(0, len(fingerprint), _GROUP))


def _own_key(folder: Path) -> ec.EllipticCurvePrivateKey:
    path = folder / KEY_NAME
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except FileNotFoundError:
        made = ec.generate_private_key(ec.SECP256R1())
        write_whole(
            path,
            made.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            ),
            mode=0o600,
        )
        return made
    except ValueError as error:
        raise _damaged(path) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise _damaged(path)
    path.chmod(0o600)
    return key


def _damaged(path: Path) -> CertificateError:
    # Made anew without a word, every phone would be told that the box is another one.
    return CertificateError(
        "The box's key {path} is damaged.",
        remedy="Move the folder {folder} away; it is made anew, with another fingerprint.",
        path=path,
        folder=path.parent,
    )


def _read(path: Path, key: ec.EllipticCurvePrivateKey) -> x509.Certificate | None:
    """The certificate there; None when it is missing, damaged or of another key: then it is made anew."""
    try:
        found = x509.load_pem_x509_certificate(path.read_bytes())
        theirs = found.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    except (FileNotFoundError, ValueError):
        return None
    return found if theirs == _public(key) else None


def _names(certificate: x509.Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))]


def _signed(key: ec.EllipticCurvePrivateKey, names: Sequence[str]) -> x509.Certificate:
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Classbox")])
    usage = dict.fromkeys(
        (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "key_cert_sign",
            "crl_sign",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    return (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_FROM)
        .not_valid_after(_UNTIL)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(digital_signature=True, **usage), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _public(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
