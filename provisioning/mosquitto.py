"""What mosquitto is told: TLS 1.3 only, nobody without a certificate, and everybody on topics of his own. Pure.

A certificate's name is its owner's user name *and* client id. The access list ties a box to the topics under its own
name, so that neither another school nor another box can be written to, listened to or thrown out.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import msgspec

from homework.errors import UsageError
from provisioning.authority import gateway_name
from sync.signed import MAX_MESSAGE_BYTES
from sync.topics import EVERY_STATE, EVERY_UP, PROBE, client_id

_HEAD = "# Written by `classgate broker write`, which writes it anew.\n"
_HEADER_BYTES = 256
"""What MQTT puts before a payload: topic, lengths, properties."""
_QUEUED_BYTES = 64 << 20
"""Kept in memory for one client that does not keep up. What is dropped beyond that is sent again."""


class BrokerPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A broker whose files lie in `folder`, which boxes reach under `addresses` (names and IP addresses) on `port`."""

    folder: Path
    addresses: tuple[str, ...]
    port: int
    gateways: int = 1


def configuration(plan: BrokerPlan) -> bytes:
    """`mosquitto.conf`. In the same folder belong `acl`, `ca.crt`, `crl.pem`, `broker.crt` and `broker.key`.

    Raises `UsageError` when the folder's name cannot stand in it.
    """
    folder = str(plan.folder.absolute())
    if not folder.isprintable():
        raise UsageError("“{path}” cannot stand in a configuration.", remedy="Choose a plain name.", path=folder)
    lines = [
        "per_listener_settings false",
        f"listener {plan.port}",
        f"cafile {folder}/ca.crt",
        f"certfile {folder}/broker.crt",
        f"keyfile {folder}/broker.key",
        f"crlfile {folder}/crl.pem",
        "tls_version tlsv1.3",
        "require_certificate true",
        "use_identity_as_username true",
        # Without it any valid certificate can take another's client id, and throw its owner out.
        "use_username_as_clientid true",
        "allow_anonymous false",
        f"acl_file {folder}/acl",
        # Nothing rests on what a broker keeps (docs/delivery.md); what it does not keep nobody can steal.
        "persistence false",
        f"max_packet_size {MAX_MESSAGE_BYTES + _HEADER_BYTES}",
        "max_queued_messages 0",  # no number: the bytes are what has to be bounded
        f"max_queued_bytes {_QUEUED_BYTES}",
        "max_inflight_messages 200",
        "set_tcp_nodelay true",
        "sys_interval 0",
    ]
    return (_HEAD + "\n".join(lines) + "\n").encode()


def access_list(denied: Collection[tuple[str, str]], *, gateways: int = 1) -> bytes:
    """`acl`, with so many gateways. `denied` are boxes (school, box) that may do nothing any more.

    Nor may they on the connection that they have.

    Raises `BadTopic` for names that cannot stand in a topic.
    """
    lines = []
    for number in range(1, gateways + 1):
        # What they share under a secret name (docs/scale.md) mosquitto allows like the topics themselves.
        lines += [
            f"user {gateway_name(number)}",
            f"topic read {EVERY_UP}",
            f"topic read {EVERY_STATE}",
            "topic write classbox/1/+/+/down",
            f"topic readwrite {PROBE}/+",
        ]
    for school, box in sorted(denied):
        # The list of revoked certificates stops who comes; only this stops who is there already.
        lines += [f"user {client_id(school, box)}", "topic deny #"]
    lines += ["pattern write classbox/1/%u/up", "pattern write classbox/1/%u/state", "pattern read classbox/1/%u/down"]
    return (_HEAD + "\n".join(lines) + "\n").encode()
