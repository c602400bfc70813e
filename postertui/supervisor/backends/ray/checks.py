"""Checks of a cluster before anything is submitted, and for `doctor --on ray`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from postertui.data.dataset import Dataset
from postertui.supervisor.backends.ray.address import Address, read_token
from postertui.supervisor.backends.ray.agent_messages import NodeFacts
from postertui.supervisor.backends.ray.client_messages import ClientHello, CloseDriver, Welcome
from postertui.supervisor.backends.ray.driver_connection import await_port, owner_id, submit_driver
from postertui.supervisor.backends.ray.jobs_api import RayJobsApi, check_cluster
from postertui.supervisor.backends.ray.link import Link, link_key
from postertui.supervisor.backends.ray.message_base import Rejected
from postertui.supervisor.backends.ray.node_facts import relevant_versions, version_differences
from postertui.system.errors import UserError
from postertui.system.finding import Finding, Status
from postertui.system.text import pluralize

#: Seconds for a driver to send the facts of its nodes.
FACTS_PATIENCE = 90.0

#: With less room than this in its cache, in bytes, a node gets a note.
LITTLE_ROOM = 1 << 30

#: The name of the study of the checks' own driver.
CHECK_STUDY = "checks"


def check_before_training(runs: Path, address: Address, gpu: float | None) -> str:
    """What the cluster has, in a line; leaves nothing behind there.

    Parameters
    ----------
    gpu
        The share of a GPU that each run takes, where the user gave one.

    Raises
    ------
    UserError
        Unless runs can be trained there.
    """
    nodes = fetch_node_facts(runs, address)
    problems = list(find_problems(nodes, gpu))
    if problems:
        raise UserError(f"{address.url}: {problems[0]}")
    working = [n for n in nodes if n.cpus or n.gpu_slots]
    gpus = sum(n.gpu_slots for n in working)
    cpus = sum(n.cpus for n in working)
    devices = pluralize(round(gpus), "GPU") if gpus else pluralize(round(cpus), "CPU")
    return f"On the Ray cluster at {address.url}: {pluralize(len(working), 'node')}, {devices}."


def find_problems(nodes: tuple[NodeFacts, ...], gpu: float | None) -> Iterator[str]:
    """Why runs cannot be trained on these nodes, each reason in a line."""
    for node in nodes:
        if node.problem:
            yield f"node {node.host} {node.problem}"
        elif other := version_differences(relevant_versions(), node.versions):
            yield f"node {node.host} has {other}; install the same on all nodes"
    if not any(node.cpus >= 1 for node in nodes):
        yield "no node has a CPU to give; start one with `ray start --address=HEAD:6379`"
    largest = max((node.gpu_slots for node in nodes), default=0)
    if gpu is not None and gpu > largest:
        offer = f"at most {pluralize(round(largest), 'GPU')}" if largest else "no GPU"
        yield f"--gpu {gpu:g} fits nowhere: the nodes have {offer} each; give a smaller share"


def check_cluster_nodes(address: Address, runs: Path, data: Path) -> Iterator[Finding]:
    """Findings about the cluster, node by node. Never raises `UserError`."""
    try:
        check_cluster(address)
        ray = f"Ray {relevant_versions().get('ray')} at {address.url}, which asks for our token"
        yield Finding("cluster", "ok", ray)
        nodes = fetch_node_facts(runs, address, data)
    except UserError as error:
        yield Finding("cluster", "wrong", str(error))
        return
    for node in nodes:
        if problem := node.problem or version_differences(relevant_versions(), node.versions):
            mend = "install the same, from the same constraints, on all nodes"
            yield Finding("cluster", "wrong", f"node {node.host} has {problem}", mend)
            continue
        devices = ", ".join(node.gpus) or pluralize(round(node.cpus), "CPU")
        if len(node.gpus) != node.gpu_slots:
            devices += f" (of which Ray gives {pluralize(round(node.gpu_slots), 'GPU')})"
        room = f"{node.free / 2**30:.1f} GB free in {node.home}"
        status: Status = "ok" if node.free >= LITTLE_ROOM else "note"
        text = (
            f"node {node.host}: {devices}, {room}, versions as here; {_describe_data(data, node)}"
        )
        yield Finding("cluster", status, text)
    if not any(node.cpus >= 1 for node in nodes):
        yield Finding("cluster", "wrong", "no node has a CPU to give")


def _describe_data(data: Path, node: NodeFacts) -> str:
    """Whether the node sees this machine's data folder."""
    try:
        local_fingerprint = Dataset.open(data).fingerprint
    except UserError:
        return "there is no data here to send"
    if node.data == local_fingerprint:
        return f"it sees {data}"
    return "data is sent there when a run needs it"


def fetch_node_facts(
    runs: Path, address: Address, data: Path | None = None
) -> tuple[NodeFacts, ...]:
    """The facts of all nodes. Raises `UserError`."""
    check_cluster(address)
    with _temporary_driver(RayJobsApi(address), runs, data) as link:
        link.send(ClientHello(relevant_versions(), nodes=True))
        deadline = time.monotonic() + FACTS_PATIENCE
        while time.monotonic() < deadline and link.is_open:
            match link.receive(1.0):
                case (Welcome(nodes=nodes), _):
                    return nodes
                case (Rejected(reason=reason), _):
                    raise UserError(f"{address.url}: {reason}")
                case _:
                    pass
    raise UserError(f"{address.url}: the driver does not answer what its nodes have", exit_code=1)


@contextmanager
def _temporary_driver(jobs: RayJobsApi, runs: Path, data: Path | None) -> Iterator[Link]:
    """A connection to a driver that exists only for this check."""
    name = submit_driver(jobs, owner_id(runs), CHECK_STUDY, data)
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
            link.send(CloseDriver())
        finally:
            link.close()
    finally:
        jobs.stop(name)
