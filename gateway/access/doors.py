"""How the configuration lets people reach the pages: who is asked, under which names, over TLS or not."""

from __future__ import annotations

import socket
import ssl

from gateway.access.access import Access
from gateway.access.gate import Door
from gateway.access.rules import HOUR_MS
from gateway.access.sessions import Lasting
from gateway.config import LOOPBACK, GatewayConfig, is_open
from gateway.store.store import Store
from homework.errors import BadFileError


def access_of(config: GatewayConfig, store: Store) -> Access:
    """What lets people in, as configured. Raises `UsageError` for a sign-on that nobody could use."""
    lasting = Lasting(idle_ms=config.web.idle_hours * HOUR_MS, whole_ms=config.web.session_days * 24 * HOUR_MS)
    if config.sso is None:
        return Access(store, lasting=lasting)
    from gateway.access.sso import SignOn  # noqa: PLC0415 - 5 MB and an eighth of a second that others need not give

    return Access(store, lasting=lasting, sign_on=SignOn(config.sso))


def door_of(config: GatewayConfig) -> Door:
    """Who is asked, and which names are ours."""
    reached = config.host not in LOOPBACK
    names = {name.lower().rstrip(".") for name in config.web.names}
    if reached:
        names |= {socket.gethostname().lower()}
    return Door(
        open=is_open(config.web, config.host),
        names=frozenset(names),
        any_address=reached,
        behind_proxy=config.web.behind_proxy,
    )


def address_of(config: GatewayConfig) -> str:
    """Where people find the pages, without a slash at the end: what stands before a link that is handed over."""
    secure = config.web.cert is not None or config.web.behind_proxy
    scheme = "https" if secure else "http"
    if config.web.behind_proxy:
        return f"{scheme}://{config.web.names[0]}"
    host = config.web.names[0] if config.web.names else socket.gethostname() if _anywhere(config.host) else config.host
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{config.port}"


def server_context(cert: str, key: str) -> ssl.SSLContext:
    """TLS 1.2 or newer with the certificate of two PEM files. Raises `BadFileError`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(cert, key)
    except (OSError, ssl.SSLError) as error:
        raise BadFileError(
            "The certificate {cert} with the key {key} cannot be used: {reason}.",
            remedy="Check [web] cert and key: PEM files that belong together, readable for the program.",
            cert=cert,
            key=key,
            reason=error.strerror or error,
        ) from error
    return context


def _anywhere(host: str) -> bool:
    return host in ("0.0.0.0", "::", "")  # noqa: S104 - compared, not listened on
