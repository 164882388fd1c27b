"""Under which addresses and names a box can be reached, and what is written of them."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass

import psutil

from edge.access.certificate import Certificate

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*", re.ASCII)


@dataclass(frozen=True)
class Places:
    """Where a box is: addresses (the likeliest first) and names, as they stand in its certificate."""

    host: str
    addresses: tuple[str, ...]
    names: tuple[str, ...]

    def urls(self, scheme: str, port: int) -> tuple[str, ...]:
        """What to type, the likeliest first: addresses always lead here, names where the network knows them."""
        everything = [*self.addresses, *self.names]
        return tuple(f"{scheme}://{_written(place)}{_port(scheme, port)}/" for place in everything)


def is_loopback(host: str) -> bool:
    """Whether only this machine itself reaches that listening address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


def places(host: str, more: Sequence[str] = ()) -> Places:
    """Where a box that listens on `host` is reached; `more` are names that the school gave it."""
    given = tuple(name.lower().rstrip(".") for name in more if _NAME.fullmatch(name.lower().rstrip(".")))
    if is_loopback(host):
        return Places(host, (host,), given)
    own = socket.gethostname().lower().rstrip(".")
    short = own.partition(".")[0]
    usable = [name for name in (own, f"{short}.local") if _NAME.fullmatch(name) and name != "localhost"]
    names = tuple(dict.fromkeys([*given, *usable]))
    if host in ("0.0.0.0", "::", ""):  # noqa: S104 - compared, not listened on
        return Places(host, own_addresses(six=host == "::"), names)
    return Places(host, (host,), names)


def own_addresses(*, six: bool = False) -> tuple[str, ...]:
    """The addresses of this machine that others reach: of private networks first; IPv6 when asked for."""
    found: list[ipaddress.IPv4Address | ipaddress.IPv6Address] = []
    for ways in psutil.net_if_addrs().values():
        for way in ways:
            if way.family not in (socket.AF_INET, socket.AF_INET6):
                continue
            address = ipaddress.ip_address(way.address.partition("%")[0])
            if address.is_loopback or address.is_link_local or (address.version == 6 and not six):
                continue
            found.append(address)
    return tuple(map(str, sorted(set(found), key=lambda a: (a.version, not a.is_private, int(a)))))


def _written(place: str) -> str:
    return f"[{place}]" if ":" in place else place


def _port(scheme: str, port: int) -> str:
    return "" if port == {"http": 80, "https": 443}[scheme] else f":{port}"


@dataclass(frozen=True)
class Sign:
    """What a box shows of itself so that people find it and know it: addresses and fingerprint."""

    urls: tuple[str, ...]
    certificate: Certificate | None
