"""Where the broker is: a URL, and for TLS the files of a certificate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import SplitResult, urlsplit

import msgspec

from homework.errors import UsageError
from sync.clock import surely_ms
from sync.tls import client_context


class BrokerAddress(msgspec.Struct, frozen=True, kw_only=True):
    """`mqtt://[user:password@]host[:port]` or `mqtts://…`; `ca`, `cert` and `key` are paths of PEM files.

    `surely_ms` tells a Unix time in milliseconds that has passed; certificates are judged by it (`sync.tls`).
    """

    url: str
    ca: str | None = None
    cert: str | None = None
    key: str | None = None
    surely_ms: Callable[[], int] = surely_ms

    def check(self) -> None:
        """Raises `UsageError` for a URL that is not MQTT's. Looks at no file: a certificate may come and go."""
        self._parts()

    def connect_arguments(self) -> dict[str, Any]:
        """What `sync.connection.connected` wants to know of this broker; reads the certificate's files.

        Raises `UsageError` for a URL that is not MQTT's and `BadFileError` for a certificate that cannot be used.
        """
        parts, port = self._parts()
        secure = parts.scheme == "mqtts"
        return {
            "hostname": parts.hostname,
            "port": port or (8883 if secure else 1883),
            "username": parts.username,
            "password": parts.password,
            "tls_context": client_context(ca=self.ca, cert=self.cert, key=self.key, surely_ms=self.surely_ms)
            if secure
            else None,
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
