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

    Of a cluster several, with commas between them. `surely_ms` tells a Unix time in milliseconds that has passed;
    certificates are judged by it (`sync.tls`).
    """

    url: str
    ca: str | None = None
    cert: str | None = None
    key: str | None = None
    surely_ms: Callable[[], int] = surely_ms

    def check(self) -> None:
        """Raises `UsageError` for a URL that is not MQTT's. Looks at no file: a certificate may come and go."""
        for url in self._urls():
            _parts(url)

    def connect_arguments(self, attempt: int = 0) -> dict[str, Any]:
        """What `sync.connection.connected` wants to know of this broker; reads the certificate's files.

        Of several addresses each `attempt` takes the next.

        Raises `UsageError` for a URL that is not MQTT's and `BadFileError` for a certificate that cannot be used.
        """
        urls = self._urls()
        parts, port = _parts(urls[attempt % len(urls)])
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

    def without_secrets(self) -> str:
        """The address as it may be shown and logged."""
        return ", ".join(url.rpartition("@")[2] if "@" in url else url for url in self._urls())

    def _urls(self) -> list[str]:
        return [url.strip() for url in self.url.split(",")]


def _parts(url: str) -> tuple[SplitResult, int | None]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
        raise UsageError(
            "`{url}` is not the address of a broker.",
            remedy="Write it as `mqtt://192.168.1.10:1883`.",
            url=url.rpartition("@")[2],  # a password is not for the screen
        )
    return parts, port
