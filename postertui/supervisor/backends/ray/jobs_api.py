"""Ray's Jobs API: start a driver, find it again, see its state, stop it.

Every failure is a `UserError` of one line.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from postertui.supervisor.backends.ray.address import Address, read_token
from postertui.supervisor.backends.ray.node_facts import relevant_versions
from postertui.system.errors import UserError

if TYPE_CHECKING:
    from ray.job_submission import JobSubmissionClient

#: Environment variables that a driver and its agents inherit.
INHERITED = ("KERAS_BACKEND", "POSTERTUI_TRAINER", "POSTERTUI_JOB_MEMORY_MB")

_LISTENING = re.compile(r"^postertui: listening on (\S+) (\d+)$", re.MULTILINE)


def check_installed() -> None:
    """Raise `UserError` unless Ray is installed here."""
    if importlib.util.find_spec("ray") is None:
        raise UserError("--on ray needs Ray: pip install 'postertui[ray]'")


def check_cluster(address: Address) -> None:
    """Raise `UserError` unless a cluster with our token and version of Ray answers."""
    check_installed()
    token = read_token()
    if _version(address, None) is not None:
        raise UserError(
            f"{address.url}: this cluster asks for no token; start it with RAY_AUTH_MODE=token "
            "(`ray get-auth-token --generate` makes the token)"
        )
    answer = _version(address, token)
    if answer is None:
        raise UserError(f"{address.url}: the cluster has another token than this machine")
    ours, theirs = relevant_versions().get("ray"), answer.get("ray_version")
    if ours != theirs:
        raise UserError(
            f"{address.url}: the cluster has Ray {theirs}, this machine Ray {ours}; "
            f"install the same: pip install ray=={theirs}"
        )


def _version(address: Address, token: str | None) -> dict[str, Any] | None:
    """The cluster's answer about its version; None where it requires a token, or another one."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(f"{address.url}/api/version", headers=headers)
    # A proxy for the web is not one for a cluster.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=10) as answer:
            info = json.loads(answer.read(65536))
            if isinstance(info, dict) and "ray_version" in info:
                return info
    except urllib.error.HTTPError as error:
        if error.code in (401, 403):
            return None
    except (OSError, ValueError):
        raise UserError(
            f"{address.url}: no Ray cluster answers there; `ray start --head` starts one, "
            "`ssh -L 8265:localhost:8265 -L 8266:localhost:8266 HEAD` brings one here"
        ) from None
    raise UserError(f"{address.url}: something answers there, but it is not a Ray cluster")


class RayJobsApi:
    """The drivers of one client on one cluster."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._client: JobSubmissionClient | None = None

    def find(self, owner: str, study: str) -> str | None:
        """The id of the driver of this owner and study, if there is one."""
        with _explained(self.address):
            for job in self._jobs().list_jobs():
                mine = (job.metadata or {}).get("postertui") == f"{owner}/{study}"
                if mine and not job.status.is_terminal():
                    return str(job.submission_id)
        return None

    def start(self, owner: str, study: str, name: str, more: dict[str, str]) -> None:
        """Submit a driver with the id `name`, and `more` in its and its agents' environment."""
        environment = {k: os.environ[k] for k in INHERITED if k in os.environ} | more
        listen = "127.0.0.1" if self.address.is_loopback else "-"
        with _explained(self.address):
            self._jobs().submit_job(
                entrypoint=(
                    f"exec python -P -m postertui.supervisor.backends.ray.driver --study {owner} "
                    f"--listen {listen} --port {self.address.port + 1}"
                ),
                submission_id=name,
                runtime_env={"env_vars": environment},
                metadata={"postertui": f"{owner}/{study}"},
            )

    def port(self, name: str) -> int | None:
        """The port on which the driver listens for clients; None before it does."""
        with _explained(self.address):
            ports = _LISTENING.findall(self._jobs().get_job_logs(name))
        return int(ports[-1][1]) if ports else None

    def failure(self, name: str) -> str | None:
        """Why the driver has ended; None while it runs."""
        with _explained(self.address):
            client = self._jobs()
            info = client.get_job_info(name)
            if not info.status.is_terminal():
                return None
            printed = client.get_job_logs(name).strip().splitlines()
        if any("No module named" in line and "postertui" in line for line in printed[-3:]):
            return "the head of the cluster has no postertui of this version: install it there"
        if any("python: not found" in line or "python: command" in line for line in printed[-3:]):
            return "the head of the cluster has no `python`: start Ray in its environment"
        last = printed[-1] if printed else info.message
        return f"the driver ended ({info.status.value.lower()}): {last}"

    def stop(self, name: str) -> None:
        """Stop the driver; idempotent."""
        with contextlib.suppress(UserError), _explained(self.address):
            self._jobs().stop_job(name)

    def _jobs(self) -> JobSubmissionClient:
        if self._client is None:
            from ray.job_submission import JobSubmissionClient

            # Ray itself reads the token once per process, and only if RAY_AUTH_MODE says so.
            authorized = {"Authorization": f"Bearer {read_token()}"}
            self._client = JobSubmissionClient(self.address.url, headers=authorized)
        return self._client


@contextlib.contextmanager
def _explained(address: Address) -> Iterator[None]:
    """Whatever Ray raises, as a `UserError` of one line."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise UserError(f"{address.url}: {first}", exit_code=1) from None
