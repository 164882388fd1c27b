"""The process behind `benchmarks._line`: copies IP packets between two network namespaces as a thin line would.

It makes both namespaces and a TUN device in each, and names none of them: they are held by its open files alone, so
that they are gone when nobody uses them. It ends when its standard input does, so also when its owner is killed, and
ends with it whatever runs in them.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import random
import selectors
import signal
import struct
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TextIO

import msgspec

NEAR, FAR = "10.99.0.1", "10.99.0.2"
"""The addresses at the two ends. Only the two namespaces know them."""
_NETWORK_NAMESPACE = 0x40000000  # CLONE_NEWNET
_SET_INTERFACE = 0x400454CA  # TUNSETIFF
_TUN_WITHOUT_HEADER = 0x0001 | 0x1000  # IFF_TUN | IFF_NO_PI
_LARGEST = 65_535
_TCP = 6


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """How one direction of the line is. `loss` is the share of packets that vanish, each by itself.

    What is lost has used the line all the same. A packet that finds more than `queue_bytes` waiting is dropped, as a
    modem does it.
    """

    bits_per_s: int
    delay_s: float = 0.0
    loss: float = 0.0
    queue_bytes: int = 32_000


class Counted(msgspec.Struct):
    """What one end has put on the line, lost packets too, in bytes: headers of IP, of TCP (or UDP), and the rest."""

    packets: int = 0
    lost: int = 0
    dropped: int = 0
    ip_bytes: int = 0
    tcp_bytes: int = 0
    payload_bytes: int = 0

    def add(self, packet: bytes) -> None:
        """Count an IPv4 packet."""
        ip = 4 * (packet[0] & 0x0F)
        transport = 4 * (packet[ip + 12] >> 4) if packet[9] == _TCP else 8
        self.packets += 1
        self.ip_bytes += ip
        self.tcp_bytes += transport
        self.payload_bytes += len(packet) - ip - transport


class Direction:
    """One direction: packets queue, take their time, get lost and arrive later, in order. Pure; any clock will do."""

    def __init__(self, way: Way, *, seed: int) -> None:
        self.counted = Counted()
        self._under_way: deque[tuple[float, bytes]] = deque()
        self._free_s = 0.0
        self.become(way, seed=seed)

    def become(self, way: Way, *, seed: int) -> None:
        """Be like this from now on, and count from nothing. What is under way arrives as it would have."""
        self._way, self._random = way, random.Random(seed)  # repeatable, not secret
        self.counted = Counted()

    def offer(self, packet: bytes, now_s: float) -> None:
        """A packet comes to the line."""
        self.counted.add(packet)
        lost = self._random.random() < self._way.loss  # drawn for each, so that a seed decides the fate of the n-th
        if (self._free_s - now_s) * self._way.bits_per_s / 8 > self._way.queue_bytes:
            self.counted.dropped += 1
            return
        self._free_s = max(self._free_s, now_s) + 8 * len(packet) / self._way.bits_per_s
        if lost:
            self.counted.lost += 1
        else:
            self._under_way.append((self._free_s + self._way.delay_s, packet))

    def due(self, now_s: float) -> Iterator[bytes]:
        """The packets that have arrived."""
        while self._under_way and self._under_way[0][0] <= now_s:
            yield self._under_way.popleft()[1]

    def next_s(self) -> float | None:
        """When the next packet arrives; None when none is under way."""
        return self._under_way[0][0] if self._under_way else None


def main() -> None:
    """Build the line, say where its ends are, and carry packets until standard input ends."""
    try:
        near, far = (_end(here, there) for here, there in ((NEAR, FAR), (FAR, NEAR)))
    except (OSError, subprocess.CalledProcessError) as error:
        words = error.stderr.decode(errors="replace") if isinstance(error, subprocess.CalledProcessError) else error
        print(json.dumps({"error": str(words).strip()}), flush=True)
        return
    print(json.dumps({"near": near[0], "far": far[0]}), flush=True)
    _carry(near[1], far[1], sys.stdin)
    _end_all_in(near[0], far[0])


def _end(address: str, peer: str) -> tuple[int, int]:
    """A new namespace, entered, with its end of the line: an open file of the namespace, and one of its device."""
    kernel = ctypes.CDLL(None, use_errno=True)
    if kernel.unshare(_NETWORK_NAMESPACE) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"no network namespace: {os.strerror(number)}")
    for setting, value in {
        "ipv6/conf/all/disable_ipv6": "1",  # its solicitations would be counted
        "ipv4/tcp_no_metrics_save": "1",  # no connection knows what the one before it learned
    }.items():
        with suppress(FileNotFoundError):  # a kernel without it
            Path("/proc/sys/net", setting).write_text(value, encoding="ascii")
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, _SET_INTERFACE, struct.pack("16sH22x", b"line", _TUN_WITHOUT_HEADER))
    for words in (
        f"address add {address} dev line",
        "link set line up",
        "link set lo up",
        # What Debian and Raspberry Pi OS have. Where a machine's default is another one, a namespace may not say so.
        f"route add {peer} dev line congctl cubic",
    ):
        subprocess.run(["ip", *words.split()], check=True, capture_output=True)
    return os.open("/proc/self/ns/net", os.O_RDONLY), device


def _carry(near: int, far: int, orders: TextIO) -> None:
    up, down = (Direction(Way(bits_per_s=1_000_000_000), seed=0) for _ in range(2))
    directions = {near: (up, far), far: (down, near)}
    selector = selectors.DefaultSelector()
    for file in (near, far, orders):
        selector.register(file, selectors.EVENT_READ)
    while True:
        now_s = time.monotonic()
        for direction, target in directions.values():
            for packet in direction.due(now_s):
                os.write(target, packet)
        next_s = min((s for d, _ in directions.values() if (s := d.next_s()) is not None), default=None)
        for key, _ in selector.select(None if next_s is None else max(0.0, next_s - time.monotonic())):
            if key.fileobj is orders:
                order = orders.readline()
                if not order:
                    return
                _obey(json.loads(order), up, down)
            else:
                direction = directions[key.fd][0]
                with suppress(BlockingIOError):
                    while True:
                        direction.offer(os.read(key.fd, _LARGEST), time.monotonic())


def _obey(order: dict[str, object], up: Direction, down: Direction) -> None:
    """Answer with what was counted until now; then become what the order says, if it says anything."""
    print(json.dumps({"up": msgspec.to_builtins(up.counted), "down": msgspec.to_builtins(down.counted)}), flush=True)
    for number, (name, direction) in enumerate((("up", up), ("down", down))):
        if name in order:
            direction.become(msgspec.convert(order[name], Way), seed=2 * int(str(order["seed"])) + number)


def _end_all_in(*namespaces: int) -> None:
    """Let nobody else in, and end the other processes that are in or at the door, until there is none."""
    names = {Path(f"/proc/self/fd/{file}").readlink() for file in namespaces}
    for file in namespaces:
        os.dup(file)  # held until we are gone, or another namespace could get its number
        os.close(file)  # the door: see `benchmarks._line.End`
    while found := [pid for pid in _processes() if pid != os.getpid() and names & set(_held_by(pid))]:
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)


def _processes() -> Iterator[int]:
    return (int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal())


def _held_by(pid: int) -> Iterator[Path]:
    """The namespace that a process is in, and its open files: one that is about to enter another has that open."""
    process = Path(f"/proc/{pid}")
    with suppress(OSError):  # it is gone, or has ended and is only waited for
        yield (process / "ns" / "net").readlink()
        for file in (process / "fd").iterdir():
            with suppress(FileNotFoundError):  # closed meanwhile
                yield file.readlink()


if __name__ == "__main__":
    main()
