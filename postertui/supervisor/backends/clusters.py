"""Clusters that runs can be trained on, by the first word of what `--on` names.

The only place that knows which kinds there are: a new one is a branch of `open_cluster`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from postertui.supervisor.backends.base import Backend
from postertui.system.errors import UserError
from postertui.system.finding import Finding

#: What `--on` names where runs are trained on this machine.
HERE = "here"


class Cluster(Protocol):
    """A cluster of one kind, at the address that `--on` gave."""

    @property
    def address(self) -> str:
        """As `--on` takes it, with what the user left out; a runs folder's settings keep it."""
        ...

    def check(self, runs: Path, gpu: float | None) -> str:
        """What the cluster has, in a line; leaves nothing behind there.

        Parameters
        ----------
        gpu
            The share of a GPU that each run takes; None where the user gave none.

        Raises
        ------
        UserError
            Unless the runs of the folder can be trained there.
        """
        ...

    def examine(self, runs: Path, data: Path) -> Iterator[Finding]:
        """Findings for `doctor`, node by node. Never raises `UserError`."""
        ...

    def backend(self, runs: Path, jobs: int | None, gpu: float | None) -> Backend:
        """What trains the runs of the folder there.

        Parameters
        ----------
        jobs
            How many at a time, per GPU or on CPUs; None for as many as fit.
        gpu
            The share of a GPU per run; None to measure it.
        """
        ...


def open_cluster(on: str) -> Cluster | None:
    """The cluster that `--on` names, which is not asked yet; None for this machine.

    Raises
    ------
    UserError
        Where it is no address of any kind of cluster.
    """
    if on == HERE:
        return None
    if on.partition(":")[0] == "ray":
        from postertui.supervisor.backends.ray.cluster import RayCluster

        return RayCluster(on)
    raise UserError(f"--on {on}: there is only `{HERE}`, `ray`, `ray:HOST` and `ray:HOST:PORT`")
