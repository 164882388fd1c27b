"""Where the broker is: a URL, and for TLS the files of a certificate."""

from __future__ import annotations

import ssl
from typing import Any
from urllib.parse import SplitResult, urlsplit

import msgspec

from homework.errors import BadFileError, UsageError


class BrokerAddress(msgspec.Struct, frozen=True, kw_only=True):
    """`mqtt://[user:password@]host[:port]` or `mqtts://…`; `ca`, `cert` and `key` are paths of PEM files."""

    url: str
    ca: str | None = None
    cert: str | None = None
    key: str | None = None

    def check(self) -> None:
        """Raises `UsageError` for a URL that is not MQTT's. Looks at no file: a certificate may come and go."""
        self._parts()

    def connect_arguments(self) -> dict[str, Any]:
        """The keyword arguments of `aiomqtt.Client` for this broker; reads the certificate's files.

        Raises `UsageError` for a URL that is not MQTT's and `BadFileError` for a certificate that cannot be used.
        """
        parts, port = self._parts()
        secure = parts.scheme == "mqtts"
        return {
            "hostname": parts.hostname,
            "port": port or (8883 if secure else 1883),
            "username": parts.username,
            "password": parts.password,
            "tls_context": self._tls() if secure else None,
        }

    def _parts(self) -> tuple[SplitResult, int | None]:
        try:
            parts = urlsplit(self.url)
            port = parts.port
        except ValueError:
            parts, port = urlsplit(""), None
        if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
            raise UsageError(
                "`{url}` is not the address of a broker.",
                remedy="Write it as `mqtt://192.168.1.10:1883`.",
                url=self.url.rpartition("@")[2],  # a password is not for the screen
            )
        return parts, port

    def _tls(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=self.ca)
            if self.cert is not None:
                context.load_cert_chain(self.cert, self.key)
        except (OSError, ssl.SSLError) as error:
            raise BadFileError(
                "The certificate for the broker cannot be used: {detail}.",
                remedy="Check ca, cert and key under [broker].",
                detail=error,
            ) from error
        return context
