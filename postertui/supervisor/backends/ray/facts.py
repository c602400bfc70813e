"""What a machine says of itself: versions, devices, room on its disk."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import shutil
import socket
from pathlib import Path

from postertui.data.dataset import Dataset
from postertui.supervisor.backends.devices import cores, find_gpus
from postertui.supervisor.backends.ray.protocol import NodeFacts
from postertui.supervisor.plan import current_versions
from postertui.system.errors import UserError
from postertui.system.user_folders import user_folder

#: In the environment: a data folder to look for.
LOOK_FOR = "POSTERTUI_LOOK_FOR_DATA"


def home() -> Path:
    """Where a node keeps what it is sent: POSTERTUI_CLUSTER_HOME, else in the user's cache."""
    if given := os.environ.get("POSTERTUI_CLUSTER_HOME"):
        return Path(given)
    return user_folder("CACHE") / "postertui" / "cluster"


def versions() -> dict[str, str]:
    """The versions that have to be alike on all machines."""
    found = current_versions()
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        found["ray"] = importlib.metadata.version("ray")
    return found


def node_facts(node: str) -> NodeFacts:
    """This machine, as Ray's node `node`."""
    folder, problem, free = home(), "", 0
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
        versions=versions(),
        cpus=cores(),
        gpus=tuple(find_gpus()),
        free=free,
        home=str(folder),
        data=_fingerprint(os.environ.get(LOOK_FOR, "")),
        problem=problem,
    )


def _fingerprint(path: str) -> str:
    try:
        return Dataset.open(Path(path)).fingerprint if path else ""
    except (UserError, OSError):
        return ""


#: Whether another version there changes what is trained, or cannot be talked to.
COMPARED = ("ray", "python", "postertui", "keras", "tensorflow", "jax", "numpy")


def difference(ours: dict[str, str], theirs: dict[str, str]) -> str:
    """What differs, for people; empty where all is alike. Of Python, the patch may differ."""
    found = []
    for name in COMPARED:
        here, there = ours.get(name), theirs.get(name)
        if name == "python":
            here, there = (".".join((v or "").split(".")[:2]) for v in (here, there))
        if name in ours and here != there:
            found.append(f"{name} {there or 'is missing'} (here {here})")
    return ", ".join(found)
