"""Tells systemd that the program is ready, alive and ending (`sd_notify(3)`): one datagram each, without a library.

The protocol is a line of text to a socket; the libraries for it either want a compiler or have long stood still.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Mapping

log = logging.getLogger(__name__)


_FIRST_GIVEN = 3
"""The number of the first file that a program is given beside the three that each has."""


class Supervisor:
    """Whoever started the program and wants to hear of it; silent when nobody does."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        pid = environment.get("WATCHDOG_PID", "")
        micros = environment.get("WATCHDOG_USEC", "")
        meant = not pid or pid == str(os.getpid())
        self.pet_every_s: float | None = (
            int(micros) / 2_000_000 if micros.isdecimal() and int(micros) and meant else None
        )
        """How often it wants to hear that all is well; None: it does not watch."""
        given = environment.get("LISTEN_FDS", "") not in ("", "0")
        self.listens = given and environment.get("LISTEN_PID") == str(os.getpid())
        """Whether it listens on the program's address itself, maybe for several programs at once (sd_listen_fds(3))."""

    def listener(self) -> socket.socket:
        """The socket on which it listens: where several programs have it, whoever is free takes the next visitor."""
        listener = socket.socket(fileno=_FIRST_GIVEN)
        listener.set_inheritable(False)
        return listener

    def ready(self, status: str) -> None:
        """The program can be used."""
        self._tell(f"READY=1\nSTATUS={status}")

    def alive(self) -> None:
        """All that must move has moved."""
        self._tell("WATCHDOG=1")

    def ending(self) -> None:
        """The program was told to end."""
        self._tell("STOPPING=1")

    def _tell(self, text: str) -> None:
        if not self._address:
            return
        # A name that begins with @ is in the kernel, not in a folder.
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line:
                line.settimeout(1.0)
                line.connect(address)
                line.send(text.encode())
        except OSError as error:
            log.warning("the supervisor does not listen: %s", error)
