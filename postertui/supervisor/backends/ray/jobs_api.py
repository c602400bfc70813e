"""Ray's Jobs API: start a driver, find it again, see how it fares, stop it.

Every failure is a `UserError` of one line. Ray is imported only here, in `driver` and in `task`.
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
from postertui.supervisor.backends.ray.facts import versions
from postertui.system.errors import UserError

if TYPE_CHECKING:
    from ray.job_submission import JobSubmissionClient

#: What of our environment a driver and its agents have too.
PASSED_ON = ("KERAS_BACKEND", "POSTERTUI_TRAINER", "POSTERTUI_JOB_MEMORY_MB")

_LISTENING = re.compile(r"^postertui: listening on (\S+) (\d+)$", re.MULTILINE)


def check_installed() -> None:
    """Raise `UserError` unless Ray is installed here."""
    if importlib.util.find_spec("ray") is None:
        raise UserError("--on ray needs Ray: pip install 'postertui[ray]'")


def check_cluster(address: Address) -> None:
    """Raise `UserError` unless there is a cluster that wants our token and has our Ray."""
    check_installed()
    token = read_token()
    if _version(address, None) is not None:
        raise UserError(
            f"{address.url}: this cluster lets everybody in; start it with RAY_AUTH_MODE=token "
            "(`ray get-auth-token --generate` makes the token)"
        )
    answer = _version(address, token)
    if answer is None:
        raise UserError(f"{address.url}: the cluster has another token than this machine")
    ours, theirs = versions().get("ray"), answer.get("ray_version")
    if ours != theirs:
        raise UserError(
            f"{address.url}: the cluster has Ray {theirs}, this machine Ray {ours}; "
            f"install the same: pip install ray=={theirs}"
        )


def _version(address: Address, token: str | None) -> dict[str, Any] | None:
    """What the cluster says of itself; None where it wants a token, or another one."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(f"{address.url}/api/version", headers=headers)
    # A proxy for the web is not one for a cluster.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=10) as answer:
            found = json.loads(answer.read(65536))
            if isinstance(found, dict) and "ray_version" in found:
                return found
    except urllib.error.HTTPError as error:
        if error.code in (401, 403):
            return None
    except (OSError, ValueError):
        raise UserError(
            f"{address.url}: no Ray cluster answers there; `ray start --head` starts one, "
            "`ssh -L 8265:localhost:8265 -L 8266:localhost:8266 HEAD` brings one here"
        ) from None
    raise UserError(f"{address.url}: something answers there, but it is not a Ray cluster")


class Jobs:
    """The drivers of one client on one cluster."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._client: JobSubmissionClient | None = None

    def find(self, owner: str, study: str) -> str | None:
        """The id of the driver that works for this owner on this study, if there is one."""
        with _explained(self.address):
            for job in self._jobs().list_jobs():
                mine = (job.metadata or {}).get("postertui") == f"{owner}/{study}"
                if mine and not job.status.is_terminal():
                    return str(job.submission_id)
        return None

    def start(self, owner: str, study: str, name: str, more: dict[str, str]) -> None:
        """Submit a driver with this id, and `more` in its environment and its agents'."""
        environment = {k: os.environ[k] for k in PASSED_ON if k in os.environ} | more
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
        """The port on which the driver listens for us; None before it does."""
        with _explained(self.address):
            found = _LISTENING.findall(self._jobs().get_job_logs(name))
        return int(found[-1][1]) if found else None

    def failure(self, name: str) -> str | None:
        """Why the driver is no more; None while it lives, or may."""
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
        """Stop the driver; one that is gone stays so."""
        with contextlib.suppress(UserError), _explained(self.address):
            self._jobs().stop_job(name)

    def _jobs(self) -> JobSubmissionClient:
        if self._client is None:
            from ray.job_submission import JobSubmissionClient

            # Ray itself looks for the token once a process, and only if RAY_AUTH_MODE says so.
            authorized = {"Authorization": f"Bearer {read_token()}"}
            self._client = JobSubmissionClient(self.address.url, headers=authorized)
        return self._client


@contextlib.contextmanager
def _explained(address: Address) -> Iterator[None]:
    """Whatever Ray raises, as one line."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise UserError(f"{address.url}: {first}", exit_code=1) from None
