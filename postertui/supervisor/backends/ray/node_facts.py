"""What a machine has: versions, devices, room on its disk."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import shutil
import socket
from pathlib import Path

from postertui.data.dataset import Dataset
from postertui.supervisor.backends.ray.agent_messages import NodeFacts
from postertui.supervisor.installed import current_versions
from postertui.system.cgroups import usable_cores
from postertui.system.errors import UserError
from postertui.system.gpus import read_gpus
from postertui.system.user_folders import user_folder

#: In the environment: the data folder that the client would like to share.
DATA_VARIABLE = "POSTERTUI_LOOK_FOR_DATA"


def cache_home() -> Path:
    """The folder for what a node is sent: POSTERTUI_CLUSTER_HOME, else in the user's cache."""
    if given := os.environ.get("POSTERTUI_CLUSTER_HOME"):
        return Path(given)
    return user_folder("CACHE") / "postertui" / "cluster"


def relevant_versions() -> dict[str, str]:
    """The versions that must be equal on all machines."""
    installed = current_versions()
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        installed["ray"] = importlib.metadata.version("ray")
    return installed


def collect_node_facts(node: str) -> NodeFacts:
    """The facts of this machine, which is Ray's node `node`."""
    folder, problem, free = cache_home(), "", 0
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        free = shutil.disk_usage(folder).free
        if not os.access(folder, os.W_OK):
            problem = f"{folder} cannot be written"
    except OSError as error:
        problem = f"{folder}: {error.strerror}"
    return NodeFacts(
        node=node,
        host=socket.gethostname(),
        versions=relevant_versions(),
        cpus=usable_cores(),
        gpus=tuple(f"gpu:{gpu.index}" for gpu in read_gpus().gpus),
        free=free,
        home=str(folder),
        data=_fingerprint(os.environ.get(DATA_VARIABLE, "")),
        problem=problem,
    )


def _fingerprint(path: str) -> str:
    try:
        return Dataset.open(Path(path)).fingerprint if path else ""
    except (UserError, OSError):
        return ""


#: Packages whose version changes what is trained, or whether machines can communicate.
COMPARED = ("ray", "python", "postertui", "keras", "tensorflow", "jax", "numpy")


def version_differences(ours: dict[str, str], theirs: dict[str, str]) -> str:
    """What differs, as a text; empty where nothing does. Python's patch version may differ."""
    differing = []
    for name in COMPARED:
        own, other = ours.get(name), theirs.get(name)
        if name == "python":
            own, other = (".".join((v or "").split(".")[:2]) for v in (own, other))
        if name in ours and own != other:
            differing.append(f"{name} {other or 'is missing'} (here {own})")
    return ", ".join(differing)
