"""Sign-on through another house's OpenID provider: who stands there, and nothing else of what it knows.

The authorization code flow with PKCE (OpenID Connect Core 1.0, 3.1; RFC 7636). What it is bound to (state, nonce,
verifier) stays with the browser in a sealed ticket; no token is kept, and no profile asked for: the only scope is
`openid`, and all that comes out is the pair (issuer, subject). Whom that pair belongs to is not this module's matter,
and never an e-mail address's.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlencode

import httpx2
import msgspec
from authlib.integrations.base_client import OAuthError
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import BadSignatureError, InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from gateway.access.provider import ProviderDocuments, SignOnError, secret_of
from gateway.access.ties import Identity
from gateway.config import SsoConfig
from homework.errors import one_line

_log = logging.getLogger(__name__)
ALGORITHMS: Final = ("RS256", "PS256", "ES256", "EdDSA", "RS384", "RS512", "PS384", "PS512", "ES384", "ES512")
"""Signatures by a key that only the provider has. `none` is no signature, and an HMAC under a public key is forged."""
_LEEWAY_S: Final = 120
"""Clocks differ; a box without one never comes this way."""
_LONGEST_CODE: Final = 4096
_LONGEST_SUBJECT: Final = 255
"""OpenID Connect Core 1.0, 2: a subject must not exceed 255 ASCII characters."""


class Flow(msgspec.Struct, frozen=True):
    """What the answer of the provider must fit; stays with the browser that was sent there."""

    state: str
    nonce: str
    verifier: str


class SignOn:
    """Signs people on at one provider."""

    def __init__(
        self, config: SsoConfig, documents: ProviderDocuments | None = None, *, now_s: Callable[[], float] = time.time
    ) -> None:
        """Raises `UsageError` for a configuration that nobody could sign on with."""
        self._config, self._documents, self._now_s = config, documents or ProviderDocuments(config), now_s
        self._secret = secret_of(config)
        self.title, self.issuer = config.title, config.issuer

    async def begin(self, back: str, *, anew: bool = False) -> tuple[str, Flow]:
        """Where to send the browser, and what its answer must fit. `back` is our own address for it.

        `anew` asks the provider to ask who it is even of a browser that it knows. Raises `ProviderAwayError`.
        """
        metadata = await self._documents.metadata()
        flow = Flow(
            state=secrets.token_urlsafe(32), nonce=secrets.token_urlsafe(32), verifier=secrets.token_urlsafe(48)
        )
        async with self._documents.client(redirect_uri=back, scope="openid", code_challenge_method="S256") as client:
            address, _state = client.create_authorization_url(
                metadata.authorization_endpoint,
                state=flow.state,
                nonce=flow.nonce,
                code_verifier=flow.verifier,
                **({"prompt": "login"} if anew else {}),
            )
        return address, flow

    async def finish(self, flow: Flow, answer: Mapping[str, str], back: str) -> Identity:
        """Who signed on, from the query with which the browser came back. Raises `SignOnError`, `ProviderAwayError`."""
        metadata = await self._documents.metadata()
        if not hmac.compare_digest(answer.get("state", "").encode(), flow.state.encode()):
            raise self.begun_elsewhere()
        # RFC 9207: the answer of another provider must not pass as this one's.
        said = answer.get("iss")
        if said != metadata.issuer and (said is not None or metadata.authorization_response_iss_parameter_supported):
            raise self._refused("the answer is another provider's (iss)")
        if "error" in answer:
            raise self._stopped(answer["error"])
        code = answer.get("code", "")
        if not 0 < len(code) <= _LONGEST_CODE:
            raise self._refused("no code")
        token = await self._token(flow, code, back)
        return await self._identity(flow, token)

    async def farewell(self, back: str) -> str | None:
        """Where the provider signs its own people out (RP-Initiated Logout 1.0); None where it has no such page."""
        metadata = await self._documents.metadata()
        if metadata.end_session_endpoint is None:
            return None
        query = urlencode({"client_id": self._config.client_id, "post_logout_redirect_uri": back})
        return f"{metadata.end_session_endpoint}{'&' if '?' in metadata.end_session_endpoint else '?'}{query}"

    def begun_elsewhere(self) -> SignOnError:
        """The error for an answer that no sign-on of this browser fits."""
        return SignOnError(
            "This sign-on was begun in another window, or too long ago.",
            remedy="Begin again at the sign-in page.",
        )

    async def _token(self, flow: Flow, code: str, back: str) -> dict[str, Any]:
        """The token endpoint's answer for a code."""
        metadata = await self._documents.metadata()
        methods = metadata.token_endpoint_auth_methods_supported
        method = "client_secret_basic" if "client_secret_basic" in methods else "client_secret_post"
        about = {
            "client_secret": self._secret,
            "token_endpoint_auth_method": method if self._secret else "none",
            "redirect_uri": back,
        }
        try:
            async with asyncio.timeout(self._documents.patience_s), self._documents.client(**about) as client:
                token = await client.fetch_token(
                    metadata.token_endpoint,
                    grant_type="authorization_code",
                    code=code,
                    code_verifier=flow.verifier,
                    redirect_uri=back,
                )
        except OAuthError as error:
            if error.error == "invalid_client":  # the configuration's mistake, and not this person's
                raise self._documents.away("it does not know our client_id with this client_secret") from error
            raise self._refused(f"the code was not taken ({error.error})") from error
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
            raise self._documents.away(f"token endpoint: {type(error).__name__} {error}") from error
        return dict(token)

    async def _identity(self, flow: Flow, token: Mapping[str, Any]) -> Identity:
        id_token = token.get("id_token")
        if not isinstance(id_token, str):
            raise self._refused("no ID token")
        decoded = await self._decoded(id_token)
        claims = CodeIDToken(
            decoded.claims,
            decoded.header,
            options={
                "iss": {"essential": True, "value": self._config.issuer},
                "aud": {"essential": True, "value": self._config.client_id},
            },
            params={
                "nonce": flow.nonce,
                "client_id": self._config.client_id,
                "access_token": token.get("access_token"),
            },
        )
        try:
            claims.validate(int(self._now_s()), _LEEWAY_S)
        except (JoseError, ValueError, TypeError, AttributeError) as error:
            raise self._refused(f"ID token: {error}") from error
        subject = claims["sub"]
        if not 0 < len(subject) <= _LONGEST_SUBJECT or not subject.isprintable():
            raise self._refused("ID token: sub")
        return Identity(self._config.issuer, subject)

    async def _decoded(self, id_token: str) -> jwt.Token:
        """The token, its signature checked. Keys are fetched anew when it names one that we lack: they rotate."""
        try:
            try:
                return _verified(id_token, await self._documents.keys())
            except (InvalidKeyIdError, BadSignatureError):
                return _verified(id_token, await self._documents.keys(anew=True))
        except (JoseError, ValueError, TypeError, AttributeError, KeyError) as error:
            raise self._refused(f"ID token: {type(error).__name__} {error}") from error

    def _refused(self, reason: str) -> SignOnError:
        """The error for an answer that cannot be believed. The reason is the administrator's matter, in the log."""
        _log.warning("a sign-on was refused: %s", one_line(reason))
        return SignOnError(
            "What {title} answered could not be checked: nobody was signed in.",
            remedy="Begin again at the sign-in page; if it goes on, tell the administrator.",
            title=self.title,
        )

    def _stopped(self, error: str) -> SignOnError:
        if error != "access_denied":
            return self._refused(f"the provider says “{error[:100]}”")
        return SignOnError(
            "The sign-on was stopped at {title}.",
            remedy="Begin again, or sign in with your password.",
            title=self.title,
        )


def _verified(id_token: str, keys: KeySet) -> jwt.Token:
    return jwt.decode(id_token, keys, algorithms=ALGORITHMS)
