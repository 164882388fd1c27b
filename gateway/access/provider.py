"""What an OpenID provider publishes of itself: its addresses and its keys, fetched with care and kept for a while.

Every answer is bounded in size and time and read only from where the provider's own document says; a redirect leads
nowhere. (OpenID Connect Discovery 1.0; RFC 7517 for keys; RFC 9700, "Best Current Practice for OAuth 2.0 Security".)
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import AsyncIterator, Callable
from functools import cache
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlsplit

import httpx2
import msgspec
from authlib.integrations.httpx_client import AsyncOAuth2Client
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, Key, KeySet, OKPKey, RSAKey

from gateway.config import LOOPBACK, SsoConfig
from homework.errors import ClassboxError, UsageError, one_line

_log = logging.getLogger(__name__)
MOST_BYTES: Final = 256 * 1024
"""Of any answer. The largest that the big providers send is some 10 kB of keys."""
PATIENCE_S: Final = 8.0
"""For one answer from the first packet to the last byte: somebody is waiting for the page."""
_METADATA_LASTS_S: Final = 3600.0
_KEYS_LAST_S: Final = 600.0
"""A key that the provider takes back because it leaked is good no longer than this."""
_REFETCH_EVERY_S: Final = 20.0
"""Anybody can send a token that names a key which nobody has: the provider must not be asked each time."""
_MOST_KEYS: Final = 64
_LEAST_RSA_BITS: Final = 2048
_Document = TypeVar("_Document")


class SignOnError(ClassboxError):
    """A sign-on ended without anybody signed on; the person can begin again."""


class ProviderAwayError(SignOnError):
    """The provider cannot be reached, or answers nothing that can be used."""


class Metadata(msgspec.Struct, frozen=True):
    """Of a provider's discovery document what we use."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    authorization_response_iss_parameter_supported: bool = False
    end_session_endpoint: str | None = None


class _Keys(msgspec.Struct, frozen=True):
    keys: tuple[dict[str, object], ...]


class ProviderDocuments:
    """The discovery document and the keys of one provider."""

    def __init__(
        self,
        config: SsoConfig,
        *,
        monotonic_s: Callable[[], float] = time.monotonic,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._config, self._monotonic_s, self.patience_s = config, monotonic_s, patience_s
        self._here = check_issuer(config.issuer)
        self._tls = _tls(config.ca)
        self._metadata: tuple[float, Metadata] | None = None
        self._keys: tuple[float, KeySet] | None = None
        self._asking = asyncio.Lock()

    def away(self, reason: str) -> ProviderAwayError:
        """The error for a provider of which `reason` (said in the log alone) is true."""
        _log.warning("the sign-on provider cannot be used: %s", one_line(reason))
        return ProviderAwayError(
            "{title} cannot be reached just now.",
            remedy="Sign in with your password, or try again in some minutes.",
            title=self._config.title,
        )

    def client(self, **about: object) -> AsyncOAuth2Client:
        """A client for one sign-on, forgotten after it: authlib's keeps the last token that it got."""
        return AsyncOAuth2Client(
            client_id=self._config.client_id,
            verify=self._tls,
            timeout=self.patience_s,
            follow_redirects=False,
            # A school behind a proxy says so in HTTPS_PROXY; a provider on this machine is never behind one.
            trust_env=not self._here,
            headers={"Accept-Encoding": "identity", "User-Agent": "Classbox"},
            event_hooks={"response": [_bounded]},
            **about,
        )

    async def metadata(self) -> Metadata:
        """The addresses of the provider. Raises `ProviderAwayError`."""
        async with self._asking:
            return await self._known_metadata()

    async def keys(self, *, anew: bool = False) -> KeySet:
        """The keys that sign its tokens; `anew` when a token names one that we lack. Raises `ProviderAwayError`."""
        async with self._asking:
            now_s = self._monotonic_s()
            if self._keys is not None:
                age_s = now_s - self._keys[0]
                if age_s < (_REFETCH_EVERY_S if anew else _KEYS_LAST_S):
                    return self._keys[1]
            found = await self._fetch((await self._known_metadata()).jwks_uri, _Keys)
            keys = KeySet(_usable(found.keys))
            self._keys = (now_s, keys)
            return keys

    async def _known_metadata(self) -> Metadata:
        now_s = self._monotonic_s()
        if self._metadata is None or now_s - self._metadata[0] > _METADATA_LASTS_S:
            found = await self._fetch(self._config.issuer.rstrip("/") + "/.well-known/openid-configuration", Metadata)
            if found.issuer != self._config.issuer:
                raise self.away(f"it calls itself “{found.issuer[:200]}”, [sso] issuer says “{self._config.issuer}”")
            for address in (found.authorization_endpoint, found.token_endpoint, found.jwks_uri):
                self._check_endpoint(address)
            if found.end_session_endpoint is not None:
                self._check_endpoint(found.end_session_endpoint)
            self._metadata = (now_s, found)
        return self._metadata[1]

    def _check_endpoint(self, address: str) -> None:
        """An endpoint may be on another host (the big providers' are), but not on a line that others read."""
        if not _is_safe(address, here=self._here):
            raise self.away(f"its document names the address “{address[:200]}”, which is not https")

    async def _fetch(self, address: str, kind: type[_Document]) -> _Document:
        try:
            async with asyncio.timeout(self.patience_s), self.client() as client:
                answer = await client.request("GET", address, withhold_token=True)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, TimeoutError) as error:
            raise self.away(f"{address}: {type(error).__name__} {error}") from error
        if answer.status_code != 200:
            raise self.away(f"{address}: status {answer.status_code}")
        try:
            return msgspec.json.decode(answer.content, type=kind)
        except msgspec.DecodeError as error:
            raise self.away(f"{address}: {error}") from error


def check_issuer(issuer: str) -> bool:
    """Whether a provider is on this machine. Raises `UsageError` for an issuer that nobody should be sent to."""
    here = urlsplit(issuer).scheme == "http"
    if not _is_safe(issuer, here=here) or "?" in issuer:
        raise UsageError(
            "[sso] issuer = “{issuer}” is not an https:// address.",
            remedy="Write it as the provider's own document does; http:// only for one on this machine.",
            issuer=issuer,
        )
    return here


def _is_safe(address: str, *, here: bool) -> bool:
    try:
        parts = urlsplit(address)
        parts.port  # noqa: B018 - says whether it is a number
    except ValueError:
        return False
    if not parts.hostname or parts.username is not None or parts.fragment or not address.isprintable():
        return False
    return parts.scheme == "https" or (here and parts.scheme == "http" and parts.hostname in LOOPBACK)


@cache
def _tls(ca: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(
            "[sso] ca = “{path}” cannot be read: {reason}.",
            remedy="Name a PEM file with the certificate of the provider's authority.",
            path=ca,
            reason=error,
        ) from error


def _usable(keys: tuple[dict[str, object], ...]) -> list[Key]:
    """Keys of which only the provider has the other half. One that we don't understand costs no other (RFC 7517, 5)."""
    found: list[Key] = []
    for data in keys[:_MOST_KEYS]:
        try:
            key = JWKRegistry.import_key(data)  # type: ignore[arg-type]
            if isinstance(key, RSAKey) and key.public_key.key_size < _LEAST_RSA_BITS:
                continue
        except (JoseError, ValueError, TypeError, KeyError, AttributeError):
            continue
        if isinstance(key, RSAKey | ECKey | OKPKey):
            found.append(key)
    return found


class _TooLarge(httpx2.TransportError):
    """An answer of more than `MOST_BYTES`."""


class _Bounded(httpx2.AsyncByteStream):
    """A body that ends with an error where it should have ended by itself."""

    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for piece in self._stream:
            size += len(piece)
            if size > MOST_BYTES:
                raise _TooLarge("the answer is too large")
            yield piece

    async def aclose(self) -> None:
        await self._stream.aclose()


async def _bounded(response: httpx2.Response) -> None:
    """Put a bound on what is read of an answer. A packed one could be small on the line and huge here."""
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise _TooLarge("the answer is packed, which was not asked for")
    assert isinstance(response.stream, httpx2.AsyncByteStream)
    response.stream = _Bounded(response.stream)


def secret_of(config: SsoConfig) -> str | None:
    """The client's secret, from its file if it has one. Raises `UsageError`."""
    if config.client_secret_file is None:
        return config.client_secret
    try:
        return Path(config.client_secret_file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            "[sso] client_secret_file = “{path}” cannot be read: {reason}.",
            remedy="Put the secret that the provider gave into that file.",
            path=config.client_secret_file,
            reason=error,
        ) from error
