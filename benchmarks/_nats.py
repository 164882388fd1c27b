"""Three nats-server nodes with JetStream and MQTT on loopback: a clustered broker whose nodes can be killed."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from sync.embedded_broker import answers_mqtt, free_port

_START_S = 60.0
_NODE = """
server_name: node-{number}
listen: 127.0.0.1:{client}
max_payload: 4MB
jetstream {{ store_dir: "{folder}/node-{number}", max_mem: 64MB, max_file: 1GB }}
cluster {{
  name: classbox
  listen: 127.0.0.1:{cluster}
  routes: [{routes}]
}}
mqtt {{ listen: 127.0.0.1:{mqtt} }}
"""


def nats_path() -> str | None:
    """Where nats-server is, None when it is not installed. Debian keeps it outside a user's PATH."""
    return shutil.which("nats-server") or shutil.which("nats-server", path="/usr/sbin:/usr/local/bin")


class NatsCluster:
    """Three nodes. A context manager; `url` names all, as `[broker] url` does."""

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="classbox-nats-")
        folder = Path(self._folder.name)
        ports = [(free_port(), free_port(), free_port()) for _ in range(3)]
        routes = ", ".join(f"nats://127.0.0.1:{cluster}" for _, cluster, _ in ports)
        self._mqtt = [mqtt for _, _, mqtt in ports]
        self._files = []
        for number, (client, cluster, mqtt) in enumerate(ports):
            file = folder / f"node-{number}.conf"
            file.write_text(
                _NODE.format(number=number, client=client, cluster=cluster, mqtt=mqtt, routes=routes, folder=folder)
            )
            self._files.append(file)
        self.nodes: list[subprocess.Popen[bytes] | None] = [None, None, None]
        for number in range(3):
            self.start(number)
        self.url = ",".join(f"mqtt://127.0.0.1:{port}" for port in self._mqtt)
        for number in range(3):
            self.wait(number)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number in range(3):
            self.kill(number)
        self._folder.cleanup()

    def start(self, number: int) -> None:
        """Start a node (again)."""
        program = nats_path()
        assert program is not None, "nats-server is not installed"
        with (self._files[number].with_suffix(".log")).open("ab") as log:
            self.nodes[number] = subprocess.Popen([program, "-c", self._files[number]], stdout=log, stderr=log)

    def kill(self, number: int) -> None:
        """End a node with SIGKILL."""
        node = self.nodes[number]
        if node is not None:
            node.kill()
            node.wait()
            self.nodes[number] = None

    def log(self, number: int) -> str:
        """The end of what a node has said."""
        return self._files[number].with_suffix(".log").read_text(errors="replace")[-3000:]

    def connections(self) -> list[int]:
        """How many programs are connected to MQTT at each node: the kernel's word (`/proc/net/tcp`)."""
        lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        here = [int(words[1].partition(":")[2], 16) for words in lines if words[3] == "01"]
        return [here.count(port) for port in self._mqtt]

    def wait(self, number: int) -> None:
        """Until a node takes MQTT connections: it has to find the others, and a leader, first."""
        end_s = time.monotonic() + _START_S
        while not answers_mqtt("127.0.0.1", self._mqtt[number]):
            assert time.monotonic() < end_s, self.log(number)
            time.sleep(0.1)
