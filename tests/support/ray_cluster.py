"""A real Ray cluster on this machine: one head and some nodes, each of its own processes.

Each node has its own cache folder and does not see the client's, so that nothing is shared that
would not be on two machines. Its jobs are the cheap trainer's; what it shall wait for stands in
`notes`.
"""

from __future__ import annotations

import contextlib
import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent

#: Generous, because the machine may be busy; nothing asserts how long a thing takes.
PATIENCE = 90.0

ENVIRONMENT = {
    # An agent that is silent is given up soon.
    "POSTERTUI_CLUSTER_SILENCE": "10",
    "POSTERTUI_CLUSTER_SAVE_AFTER": "1",
    # A node that refuses to answer is gone; one that takes its time is not, on a busy machine.
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_failure_threshold": "2",
    "RAY_health_check_timeout_ms": "20000",
    # Nor does any of its processes give up while it starts.
    "RAY_agent_register_timeout_ms": "100000",
    "RAY_worker_register_timeout_seconds": "120",
    # Other people's memory is no reason to end a worker.
    "RAY_memory_monitor_refresh_ms": "0",
    "POSTERTUI_TRAINER": "tests.support.cheap_trainer:CheapTrainer",
}

#: What distinguishes a cluster's processes from all others: in the environment of each.
TAG = "POSTERTUI_TEST_CLUSTER"

#: Mounts an empty folder over its first argument, for itself alone, and becomes the rest.
HIDE = 'mount -t tmpfs -o size=1m none "$0" && exec "$@"'

_taken: set[int] = set()


def free_port() -> int:
    """A port on which nothing listens, and that no outgoing connection takes meanwhile."""
    low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = random.randrange(max(1024, low - 12_000), low)
        with socket.socket() as sock, contextlib.suppress(OSError):
            if port not in _taken:
                sock.bind(("0.0.0.0", port))
                _taken.add(port)
                return port


def can_hide() -> bool:
    """Whether we may give processes a view of the disk of their own."""
    command = ["unshare", "--mount", "sh", "-c", HIDE, "/mnt", "true"]
    with contextlib.suppress(OSError):
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    return False


class Node:
    """One `ray start`, and all that comes of it."""

    def __init__(self, name: str, tag: str, home: Path) -> None:
        self.name = name
        self.tag = tag
        self.home = home
        # Ray's own files. Sockets have short names, and pytest's folders long ones.
        self.temporary = Path(f"/tmp/pt-{tag}")

    def processes(self) -> list[psutil.Process]:
        """Every process that has this node's header in its environment."""
        pids = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.environ().get(TAG) == self.tag:
                    # Some of Ray's write their title over their environment.
                    pids += [process, *process.children(recursive=True)]
        return list(dict.fromkeys(pids))

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
        #: What only the client sees, where the machine allows that.
        self.client = folder / "client"
        self.client.mkdir()
        self.hides = can_hide()
        self.notes = folder / "notes"
        self.notes.mkdir()
        self.port = free_port()
        self.api_port = free_port()
        self.token = secrets.token_hex(16)
        self.nodes: list[Node] = []
        self._tag = secrets.token_hex(6)
        self._environment = environment

    @property
    def address(self) -> str:
        return f"ray:127.0.0.1:{self.api_port}"

    @property
    def client_environment(self) -> dict[str, str]:
        """What a client's environment has to have."""
        return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": self.token}

    def start(self, nodes: int = 2, cpus: int = 1) -> None:
        self.start_head()
        self.start_nodes(*(f"node{number + 1}" for number in range(nodes)), cpus=cpus)

    def start_head(self) -> None:
        command = ["--head", f"--port={self.port}", "--dashboard-host=127.0.0.1"]
        command += [f"--dashboard-port={self.api_port}", f"--ray-client-server-port={free_port()}"]
        self._await("head", self._ray("head", *command, "--num-cpus=0", "--num-gpus=0"))

    def start_nodes(self, *names: str, cpus: int = 1, gpus: int = 0, **more: Any) -> None:
        """All at once; each is up when this returns."""
        address = socket.gethostbyname(socket.gethostname())
        started = {}
        for name in names:
            command = [f"--address={address}:{self.port}", f"--num-cpus={cpus}"]
            started[name] = self._ray(name, *command, f"--num-gpus={gpus}", **more)
        for name, process in started.items():
            self._await(name, process)

    def start_node(self, name: str, **more: Any) -> Node:
        self.start_nodes(name, **more)
        return self.node(name)

    def node(self, name: str) -> Node:
        """The newest of this name."""
        return next(n for n in reversed(self.nodes) if n.name == name)

    def heal(self) -> None:
        """Start what a test has killed, and end what it has added."""
        if not self.node("head").processes():
            self.kill_all()
            self.start_head()
        names = ("node1", "node2")
        for node in self.nodes:
            if node.name not in ("head", *names):
                node.kill()
        self.start_nodes(*(name for name in names if not self.node(name).processes()))

    def kill_all(self) -> None:
        for node in self.nodes:
            node.kill()

    def end_work(self) -> None:
        """End what drivers and agents a test has left behind."""
        while working := [p for p in self.working() if p.is_running()]:
            for process in working:
                with contextlib.suppress(psutil.Error):
                    process.kill()
            psutil.wait_procs(working, timeout=5)

    def working(self, what: str = "postertui.") -> list[psutil.Process]:
        """Our processes on the cluster: those whose command line names a module of ours."""
        pids = []
        for node in self.nodes:
            for process in node.processes():
                with contextlib.suppress(psutil.Error):
                    zombie = process.status() == psutil.STATUS_ZOMBIE
                    if not zombie and any(w.startswith(what) for w in process.cmdline()):
                        pids.append(process)
        return pids

    def stop(self) -> None:
        self.kill_all()
        for node in self.nodes:
            shutil.rmtree(node.temporary, ignore_errors=True)

    def _await(self, name: str, process: subprocess.Popen[bytes]) -> None:
        """Raise `AssertionError` with what Ray printed unless the node came up."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            if process.wait(PATIENCE) == 0:
                return
        report = [f"{name} did not come up", (self.folder / f"{name}.log").read_text()[-1500:]]
        for path in self.node(name).temporary.glob("session_*/logs/*"):
            with contextlib.suppress(OSError):
                lines = path.read_text(errors="replace").splitlines()
                bad = [x for x in lines if "Check failed" in x or " E " in x or "Error" in x]
                report += [f"{path.name}: {line[:400]}" for line in bad[:5]]
        raise AssertionError("\n".join(report))

    def _ray(
        self, name: str, *arguments: str, home: Path | None = None, **environment: str
    ) -> subprocess.Popen[bytes]:
        home = home or self.folder / name
        home.mkdir(parents=True, exist_ok=True)
        node = Node(name, f"{self._tag}-{name}-{len(self.nodes)}", home)
        self.nodes.append(node)
        # With one folder for all, nodes that start at once take each other's sockets.
        command = [str(BIN / "ray"), "start", *arguments, f"--temp-dir={node.temporary}"]
        if self.hides:
            command = ["unshare", "--mount", "sh", "-c", HIDE, str(self.client), *command]
        # Nodes of one machine take each other's ports where Ray chooses them: it looks whether one
        # is free and uses it later.
        command += ["--min-worker-port=0", "--max-worker-port=0"]
        for what in (
            "node-manager",
            "object-manager",
            "dashboard-agent-listen",
            "dashboard-agent-grpc",
            "runtime-env-agent",
            "metrics-export",
        ):
            command.append(f"--{what}-port={free_port()}")
        command += ["--object-store-memory=80000000", "--disable-usage-stats"]
        command += ["--include-log-monitor=false"]
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._full_environment(node) | environment,
                start_new_session=True,
                cwd="/",
            )

    def _full_environment(self, node: Node) -> dict[str, str]:
        return {
            # Devices are what a test says they are.
            **{k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "CUDA_"))},
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "POSTERTUI_CLUSTER_HOME": str(node.home / "cache"),
            "CHEAP_NOTES": str(self.notes),
            TAG: node.tag,
            **ENVIRONMENT,
            **self.client_environment,
            **self._environment,
        }


def wait_for(condition: Callable[[], Any], what: object = "", patience: float = PATIENCE) -> Any:
    """Poll until `condition()` holds; what it answered."""
    deadline = time.monotonic() + patience
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"gave up waiting for {what or condition}"
        time.sleep(0.05)
    return answer
