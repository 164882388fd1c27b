"""A small OpenID provider on loopback that says whatever a test wants, and the real one as a process."""

import asyncio
import contextlib
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import web
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey
from joserfc.jws import JWSRegistry

CLIENT = "classbox"
BACK = "https://district.example/login/sso/back"
SUBJECT = "teacher-7"
_RSA = RSAKey.generate_key(2048, {"kid": "first", "use": "sig"})
_OTHER_RSA = RSAKey.generate_key(2048, {"kid": "second", "use": "sig"})


class HostileProvider:
    """Answers honestly until a test changes one of its attributes."""

    def __init__(self) -> None:
        self.key: RSAKey | ECKey | OctKey = _RSA
        """Signs."""
        self.algorithm = "RS256"
        self.header: dict[str, Any] = {}
        self.claims: dict[str, Any] = {}
        """Beside the honest ones; None takes one away."""
        self.published: list[RSAKey | ECKey | dict[str, Any]] = [_RSA]
        self.discovery: dict[str, Any] = {}
        self.answers: dict[str, web.Response] = {}
        """Of an endpoint instead of its own."""
        self.waits_s: dict[str, float] = {}
        self.token: dict[str, Any] = {}
        self.asked: list[str] = []
        self.form: dict[str, str] = {}
        self.headers: dict[str, str] = {}
        self.nonce = ""
        self.issuer = ""
        self.id_token: str | None = None

    @property
    def other_key(self) -> RSAKey:
        return _OTHER_RSA

    def rotate(self) -> None:
        """Sign with another key and publish that alone."""
        self.key, self.published = _OTHER_RSA, [_OTHER_RSA]

    def application(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/.well-known/openid-configuration", self._answer("discovery", self._discovery))
        app.router.add_get("/keys", self._answer("keys", self._keys))
        app.router.add_post("/token", self._answer("token", self._token))
        for name, honest in (("discovery", self._discovery), ("keys", self._keys), ("token", self._token)):
            app.router.add_route("*", f"/elsewhere/{name}", self._answer("elsewhere", honest))
        return app

    def _answer(self, name: str, honest: Any) -> Any:
        async def handler(request: web.Request) -> web.StreamResponse:
            self.asked.append(name)
            if name == "token":
                self.headers = dict(request.headers)
                self.form = {key: str(value) for key, value in (await request.post()).items()}
            await asyncio.sleep(self.waits_s.get(name, 0))
            return self.answers.get(name) or web.json_response(honest())

        return handler

    def _discovery(self) -> dict[str, Any]:
        said = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "id_token_signing_alg_values_supported": ["RS256"],
        }
        return {name: value for name, value in {**said, **self.discovery}.items() if value is not None}

    def _keys(self) -> dict[str, Any]:
        return {"keys": [k if isinstance(k, dict) else k.as_dict(private=False) for k in self.published]}

    def _token(self) -> dict[str, Any]:
        return {
            "access_token": "opaque",
            "token_type": "Bearer",
            "id_token": self.id_token if self.id_token is not None else self.signed(),
            **self.token,
        }

    def signed(self) -> str:
        """An ID token as the attributes say."""
        now_s = int(time.time())
        said = {
            "iss": self.issuer,
            "aud": CLIENT,
            "sub": SUBJECT,
            "iat": now_s,
            "exp": now_s + 300,
            "nonce": self.nonce,
            **self.claims,
        }
        said = {name: value for name, value in said.items() if value is not None}
        header = {"alg": self.algorithm, "kid": self.key.kid, **self.header}
        header = {name: value for name, value in header.items() if value is not None}
        registry = JWSRegistry(algorithms=[self.algorithm], strict_check_header=False)
        return jwt.encode(header, said, self.key, registry=registry)


@contextlib.contextmanager
def real_provider() -> Iterator[str]:
    """The issuer of a real provider in a process of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", str(port), "--require-nonce", "true"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    issuer = f"http://127.0.0.1:{port}"
    try:
        deadline_s = time.monotonic() + 30
        while True:
            try:
                urllib.request.urlopen(f"{issuer}/.well-known/openid-configuration", timeout=5).close()
                break
            except (urllib.error.URLError, OSError):
                assert process.poll() is None, "the provider ended"
                assert time.monotonic() < deadline_s, "the provider does not answer"
                time.sleep(0.05)
        yield issuer
    finally:
        process.terminate()
        process.wait(10)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


async def pressed(address: str, back_to: str, **fields: str) -> dict[str, str]:
    """What the provider's page sends back when somebody presses its button."""
    opener = urllib.request.build_opener(_NoRedirect)
    with pytest.raises(urllib.error.HTTPError) as moved:
        await asyncio.to_thread(opener.open, address, urllib.parse.urlencode(fields).encode())
    assert moved.value.code == 302
    back = moved.value.headers["Location"]
    assert back.startswith(back_to + "?")
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(back).query))
