"""A Ray cluster, as `--on ray`, `--on ray:HOST` and `--on ray:HOST:PORT` name it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from postertui.supervisor.backends.base import Backend
from postertui.supervisor.backends.ray.address import parse_address
from postertui.system.finding import Finding


class RayCluster:
    """See `postertui.supervisor.backends.clusters.Cluster`.

    Raises `UserError` where `on` is no address.
    """

    def __init__(self, on: str) -> None:
        self._address = parse_address(on)

    @property
    def address(self) -> str:
        return self._address.text

    def check(self, runs: Path, gpu: float | None) -> str:
        from postertui.supervisor.backends.ray import checks

        return checks.check_before_training(runs, self._address, gpu)

    def examine(self, runs: Path, data: Path) -> Iterator[Finding]:
        from postertui.supervisor.backends.ray import checks

        return checks.check_cluster_nodes(self._address, runs, data)

    def backend(self, runs: Path, jobs: int | None, gpu: float | None) -> Backend:
        from postertui.supervisor.backends.ray.backend import RayJobs

        return RayJobs(runs, self._address, jobs, gpu)
