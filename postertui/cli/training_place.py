"""Where a command trains and on what, checked before anything is queued."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from postertui.cli.streams import print_message
from postertui.system.errors import UserError

if TYPE_CHECKING:
    from postertui.runs.store import Store
    from postertui.supervisor.folder import DeviceRequest


def check_detach(*, foreground: bool) -> None:
    """Raise `UserError` where nothing that this command leaves behind would live on."""
    if foreground:
        raise UserError("--detach and --foreground are opposites; give one of them")
    if os.getpid() == 1:
        raise UserError(
            "--detach: this is the first process of a container, which ends with it and takes "
            "the training along; use --foreground"
        )


def check_place(
    runs: Path, on: str | None, gpu: float | None, device: str | None
) -> tuple[str, DeviceRequest | None]:
    """Where to train and on what: as given, or as this folder's runs were trained before.

    Parameters
    ----------
    on
        `here`, or a cluster's address as `--on` takes it; None for where the folder's runs were
        trained before.
    gpu
        The share of a GPU that each run takes, between 0 and 1; None where none was given.
    device
        `cpu`, `gpu` or `auto`; None for what was asked for before.

    Raises
    ------
    UserError
        Where runs cannot be trained there, before anything is queued.
    """
    from postertui.supervisor import folder
    from postertui.supervisor.backends.clusters import HERE, open_cluster
    from postertui.supervisor.installed import check_trainable
    from postertui.supervisor.known_clusters import check_known, remember_cluster

    place = on or folder.read_settings(runs).on or HERE
    cluster = open_cluster(place)
    if cluster is None:
        check_trainable()
        return HERE, check_device(runs, gpu, device)
    if on is None:
        check_known(runs, place)
    print_message(cluster.check(runs, gpu))
    if on is not None:
        remember_cluster(cluster.address)
    return cluster.address, None


def check_device(runs: Path, gpu: float | None, device: str | None) -> DeviceRequest | None:
    """What to train on here; says which GPUs are used, and which are not.

    Raises `UserError` where a GPU was asked for by name and cannot be used.
    """
    from postertui.supervisor import folder
    from postertui.supervisor.backends.devices import find_devices
    from postertui.system.sessions import logout_advice

    request = folder.read_settings(runs).device
    match device:
        case "cpu" | "gpu":
            request = device
        case "auto":
            request = "auto"
        case _ if gpu is not None and request is None:
            # A share of a GPU asks for one.
            request = "gpu"
    choice = find_devices(request, os.environ, runs)
    for warning in choice.warnings:
        print_message(f"Warning: {warning}")
    if choice.devices:
        print_message(f"On {', '.join(choice.devices)}.")
    elif request == "cpu" and device is None:
        print_message("On the CPU, as asked before; --device auto takes a GPU where there is one.")
    if advice := logout_advice():
        print_message(f"Warning: this machine ends training at logout; `{advice}` lets it go on.")
    return request


def print_obstacles(store: Store, on: str | None, gpu: float | None, device: str | None) -> None:
    """Print what keeps runs from being trained at once, or where one expects it.

    Parameters
    ----------
    on
        `here`, or a cluster's address as `--on` takes it; None for where the folder's runs were
        trained before.
    gpu
        The share of a GPU that each run takes, between 0 and 1; None where none was given.
    device
        `cpu`, `gpu` or `auto`; None for what was asked for before.

    Raises
    ------
    UserError
        Where training here would be refused. A cluster is not asked.
    """
    from postertui.supervisor import folder, requests
    from postertui.supervisor.backends.clusters import HERE

    if (on or folder.read_settings(store.folder).on or HERE) == HERE:
        check_device(store.folder, gpu, device)
    open_runs = store.waiting_runs
    if waiting := requests.status(store.folder, open_runs).waiting:
        print_message(f"Waiting: {waiting}")
