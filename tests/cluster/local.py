"""A real Ray cluster on this machine: one head and some nodes, each of its own processes.

Each node has its own cache folder, so that nothing is shared that would not be on two machines.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent

#: Generous, because the machine may be busy; nothing asserts how long a thing takes.
PATIENCE = 90.0

#: An agent that is silent is given up after some seconds. Ray's own health checks stay patient, for
#: a busy machine makes it give up nodes that are well.
IMPATIENT = {
    "RAY_health_check_period_ms": "3000",
    "RAY_health_check_timeout_ms": "20000",
    "RAY_health_check_failure_threshold": "5",
    "POSTERTUI_CLUSTER_SILENCE": "8",
}

#: What tells a cluster's processes from all others: in the environment of each.
TAG = "POSTERTUI_TEST_CLUSTER"


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class Node:
    """One `ray start`, and all that comes of it."""

    def __init__(self, name: str, tag: str, home: Path) -> None:
        self.name = name
        self.tag = tag
        self.home = home

    def processes(self) -> list[psutil.Process]:
        """Every process that has this node's mark in its environment."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.environ().get(TAG) == self.tag:
                    # Some of Ray's write their title over their environment.
                    found += [process, *process.children(recursive=True)]
        return list(dict.fromkeys(found))

    def signal(self, number: signal.Signals) -> None:
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                process.send_signal(number)

    def kill(self) -> None:
        """As when the power fails: all at once, until none is left."""
        while processes := self.processes():
            for process in processes:
                with contextlib.suppress(psutil.Error):
                    process.kill()
            psutil.wait_procs(processes, timeout=5)


class LocalCluster:
    """Start with `start`, always end with `stop`."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.api_port = free_port()
        self.token = secrets.token_hex(16)
        self.nodes: list[Node] = []
        self._tag = secrets.token_hex(6)
        self._environment = environment
        # Sockets have short names, and pytest's folders long ones.
        self._temporary = Path(f"/tmp/pt-{self._tag}")

    @property
    def address(self) -> str:
        return f"ray:127.0.0.1:{self.api_port}"

    @property
    def client_environment(self) -> dict[str, str]:
        """What a client's environment has to have."""
        return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": self.token}

    def start(self, nodes: int = 2, cpus: int = 1) -> None:
        self.start_head()
        # One after the other: two that start at once on one machine take each other's ports.
        for number in range(nodes):
            self.start_node(f"node{number + 1}", cpus)

    def start_head(self) -> None:
        command = ["--head", f"--port={self.port}", "--dashboard-host=127.0.0.1"]
        command += [f"--dashboard-port={self.api_port}", f"--temp-dir={self._temporary}"]
        command += ["--include-log-monitor=false", f"--ray-client-server-port={free_port()}"]
        assert self._ray("head", 0, *command).wait(PATIENCE) == 0

    def start_node(self, name: str, cpus: int = 1, home: Path | None = None) -> Node:
        assert self._launch(name, cpus, home).wait(PATIENCE) == 0
        return self.node(name)

    def node(self, name: str) -> Node:
        """The newest of this name."""
        return next(n for n in reversed(self.nodes) if n.name == name)

    def heal(self) -> None:
        """Start what a test has killed."""
        if not self.node("head").processes():
            self.restart_head()
        for name in ("node1", "node2"):
            if not self.node(name).processes():
                self.start_node(name)

    def restart_head(self) -> None:
        """The head and with it all nodes, as nodes do not outlive it for long."""
        for node in self.nodes:
            node.kill()
        self.start_head()

    def end_work(self) -> None:
        """End what drivers and agents a test has left behind."""
        while working := [p for p in self.working() if p.is_running()]:
            for process in working:
                with contextlib.suppress(psutil.Error):
                    process.kill()
            psutil.wait_procs(working, timeout=5)

    def working(self, what: str = "postertui.") -> list[psutil.Process]:
        """Our processes on the cluster: those whose command line names a module of ours."""
        found = []
        for node in self.nodes:
            for process in node.processes():
                with contextlib.suppress(psutil.Error):
                    zombie = process.status() == psutil.STATUS_ZOMBIE
                    if not zombie and any(w.startswith(what) for w in process.cmdline()):
                        found.append(process)
        return found

    def stop(self) -> None:
        for node in reversed(self.nodes):
            node.kill()
        subprocess.run(["rm", "-rf", str(self._temporary)], check=False)

    def _launch(self, name: str, cpus: int, home: Path | None = None) -> subprocess.Popen[bytes]:
        address = socket.gethostbyname(socket.gethostname())
        return self._ray(name, cpus, f"--address={address}:{self.port}", home=home)

    def _ray(
        self, name: str, cpus: int, *arguments: str, home: Path | None = None
    ) -> subprocess.Popen[bytes]:
        home = home or self.folder / name
        home.mkdir(parents=True, exist_ok=True)
        node = Node(name, f"{self._tag}-{name}-{len(self.nodes)}", home)
        self.nodes.append(node)
        command = [str(BIN / "ray"), "start", f"--num-cpus={cpus}", "--num-gpus=0", *arguments]
        command += [f"--dashboard-agent-listen-port={free_port()}"]
        command += ["--object-store-memory=80000000", "--disable-usage-stats"]
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._full_environment(node),
                start_new_session=True,
                cwd="/",
            )

    def _full_environment(self, node: Node) -> dict[str, str]:
        return {
            **{k: v for k, v in os.environ.items() if not k.startswith("RAY_")},
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "POSTERTUI_CLUSTER_HOME": str(node.home / "cache"),
            TAG: node.tag,
            **IMPATIENT,
            **self.client_environment,
            **self._environment,
        }


def wait_for(condition: object, what: str = "", patience: float = PATIENCE) -> object:
    """Poll until `condition()` holds; what it answered."""
    assert callable(condition)
    deadline = time.monotonic() + patience
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"gave up waiting for {what or condition}"
        time.sleep(0.05)
    return answer
