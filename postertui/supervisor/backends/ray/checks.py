"""What is wrong with a cluster, said before anything is submitted; and `doctor --on ray`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from postertui.data.dataset import Dataset
from postertui.supervisor.backends.ray.address import Address, read_token
from postertui.supervisor.backends.ray.connection import await_port, owner_of, submit_driver
from postertui.supervisor.backends.ray.facts import difference, versions
from postertui.supervisor.backends.ray.jobs_api import Jobs, check_cluster
from postertui.supervisor.backends.ray.link import Link, link_key
from postertui.supervisor.backends.ray.protocol import Client, Close, NodeFacts, Refused, Welcome
from postertui.system.errors import UserError
from postertui.system.finding import Finding, Status

#: Seconds for a driver to say what its nodes are.
PATIENCE = 90.0

#: With less room than this in its cache, in bytes, a node is worth a word.
LITTLE_ROOM = 1 << 30

#: The study under which checks have a driver of their own.
CHECKS = "checks"


def check_before(runs: Path, address: Address, gpu: float | None) -> str:
    """Raise `UserError` unless runs can be trained on the cluster; else what is there, in a line.

    Nothing is left behind, and nothing was submitted but the question what the nodes are.
    """
    nodes = ask_nodes(runs, address)
    problems = list(problems_of(nodes, gpu))
    if problems:
        raise UserError(f"{address.url}: {problems[0]}")
    working = [n for n in nodes if n.cpus or n.shares]
    gpus = sum(n.shares for n in working)
    what = f"{gpus:.0f} GPUs" if gpus else f"{sum(n.cpus for n in working):.0f} CPUs"
    return f"On the Ray cluster at {address.url}: {len(working)} nodes, {what}."


def problems_of(nodes: tuple[NodeFacts, ...], gpu: float | None) -> Iterator[str]:
    """What keeps runs from being trained on these nodes, each in a line."""
    for node in nodes:
        if node.problem:
            yield f"node {node.host} {node.problem}"
        elif other := difference(versions(), node.versions):
            yield f"node {node.host} has {other}; install the same on all nodes"
    if not any(node.cpus >= 1 for node in nodes):
        yield "no node has a CPU to give; start one with `ray start --address=HEAD:6379`"
    most = max((node.shares for node in nodes), default=0)
    if gpu is not None and gpu > most:
        what = f"at most {most:.0f} GPUs" if most else "no GPU"
        yield f"--gpu {gpu:g} fits nowhere: the nodes have {what} each; give a smaller share"


def examine(address: Address, runs: Path, data: Path) -> Iterator[Finding]:
    """The cluster, node by node, for people. Never raises `UserError`."""
    try:
        check_cluster(address)
        ray = f"Ray {versions().get('ray')} at {address.url}, which wants our token"
        yield Finding("cluster", "ok", ray)
        nodes = ask_nodes(runs, address, data)
    except UserError as error:
        yield Finding("cluster", "wrong", str(error))
        return
    for node in nodes:
        if trouble := node.problem or difference(versions(), node.versions):
            mend = "install the same, from the same constraints, on all nodes"
            yield Finding("cluster", "wrong", f"node {node.host} has {trouble}", mend)
            continue
        devices = ", ".join(node.gpus) or f"{node.cpus:.0f} CPUs"
        if len(node.gpus) != node.shares:
            devices += f" (of which Ray gives {node.shares:.0f} GPUs)"
        room = f"{node.free / 2**30:.1f} GB free in {node.home}"
        status: Status = "ok" if node.free >= LITTLE_ROOM else "note"
        text = f"node {node.host}: {devices}, {room}, versions as here; {_data_there(data, node)}"
        yield Finding("cluster", status, text)
    if not any(node.cpus >= 1 for node in nodes):
        yield Finding("cluster", "wrong", "no node has a CPU to give")


def _data_there(data: Path, node: NodeFacts) -> str:
    """Whether the node sees our data folder."""
    try:
        ours = Dataset.open(data).fingerprint
    except UserError:
        return "there is no data here to send"
    if node.data == ours:
        return f"it sees {data}"
    return "data is sent there when a run needs it"


def ask_nodes(runs: Path, address: Address, data: Path | None = None) -> tuple[NodeFacts, ...]:
    """What each node says of itself. Raises `UserError`."""
    check_cluster(address)
    with _visiting(Jobs(address), runs, data) as link:
        link.send(Client(versions(), nodes=True))
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and link.is_open:
            match link.receive(1.0):
                case (Welcome(nodes=nodes), _):
                    return nodes
                case (Refused(reason=reason), _):
                    raise UserError(f"{address.url}: {reason}")
                case _:
                    pass
    raise UserError(f"{address.url}: the driver does not say what its nodes are", exit_code=1)


@contextmanager
def _visiting(jobs: Jobs, runs: Path, data: Path | None) -> Iterator[Link]:
    """A connection to a driver that is there for us alone, and gone afterwards."""
    name = submit_driver(jobs, owner_of(runs), CHECKS, data)
    try:
        port = await_port(jobs, name)
        try:
            link = Link.connect(jobs.address.host, port, link_key(read_token()))
        except OSError as error:
            raise UserError(
                f"{jobs.address.host}:{port}: the driver cannot be reached ({error}); "
                f"through a tunnel, forward this port too"
            ) from None
        try:
            yield link
            link.send(Close())
        finally:
            link.close()
    finally:
        jobs.stop(name)
