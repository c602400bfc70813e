"""The name of every file in a runs folder and in a run's folder; no other module spells one.

`runs/<run>/` holds what one run is and did; only the holder of its `LOCK` writes to it, except
`SPEC` and the requests `CANCEL`, `PAUSED` and `PRIORITY`. Files whose name begins with a dot belong
to the runs folder as a whole.
"""

from __future__ import annotations

import re

# In a run's folder

#: What to train; written once, before the first event.
SPEC = "run.json"

#: What happened, append-only (see `postertui.runs.events`).
EVENTS = "events.jsonl"

#: The newest epoch's weights and optimiser state.
CHECKPOINT = "checkpoint"

#: A checkpoint while it is written.
CHECKPOINT_TEMPORARY = "checkpoint.tmp"

#: What the job printed.
LOG = "log.txt"

#: The flock that a job holds for as long as it works on the run.
LOCK = "lock"

#: A request that the run end (see `postertui.supervisor.requests`).
CANCEL = "cancel"

#: A request that the run wait.
PAUSED = "paused"

#: A whole number; higher goes earlier, 0 where the file is missing.
PRIORITY = "priority"

#: The probability of each validation and test poster (see `postertui.predictions.table`).
PREDICTIONS = "predictions.parquet"

#: The trained weights, where they are kept (see `postertui.runs.trained_weights`).
WEIGHTS = "weights.npz"

#: What a done run leaves beside its events.
RESULTS = (PREDICTIONS, WEIGHTS)

#: The run is trained on a cluster; holds the name of its study there.
CLUSTER = "cluster"


def code_file(name: str) -> str:
    """The copy of a file of the user's own functions called `name` (see `postertui.runs.code`)."""
    return f"{name}.py"


# In the runs folder

#: The flock of the folder's supervisor.
SUPERVISOR_LOCK = ".supervisor.lock"

#: What the supervisor does, for display only.
SUPERVISOR_STATUS = ".supervisor.json"

#: What the supervisor printed.
SUPERVISOR_LOG = ".supervisor.log"

#: A request that no further run be started.
QUEUE_PAUSED = ".paused"

#: How many runs at a time, and where they are trained.
SETTINGS = ".settings.json"

#: What the training framework reported about GPUs, kept for the next supervisor.
DEVICE_REPORT = ".devices.json"

#: Grows by a byte with each request, so that one `stat` shows whether anything was asked for.
CHANGE_COUNTER = ".bell"

#: Notes and tags of all runs, and the flock of a program that changes them.
NOTES = ".notes.json"
NOTES_LOCK = ".notes.lock"

#: Closed runs as they were read last (see `postertui.runs.store.cache`).
CACHE = ".cache"

#: Where `doctor --repair` moves what is damaged.
DAMAGED = ".damaged"

#: Removed runs, a folder for each removal, until they are deleted (see `postertui.runs.removal`).
REMOVED = ".removed"

_CHECKPOINT_DRAFT = re.compile(r"checkpoint\.(\d+)", re.ASCII)


def checkpoint_draft(epoch: int) -> str:
    """The checkpoint after `epoch`, until the epoch's event is written."""
    return f"{CHECKPOINT}.{epoch}"


def draft_epoch(name: str) -> int | None:
    """The epoch of the checkpoint draft called `name`; None for any other file."""
    match = _CHECKPOINT_DRAFT.fullmatch(name)
    return int(match[1]) if match else None


def is_checkpoint_file(name: str) -> bool:
    """Whether `name` is a checkpoint, a draft of one, or one that is being written."""
    return name == CHECKPOINT or name.startswith(f"{CHECKPOINT}.")


_RUN_FILES = {SPEC, EVENTS, LOG, LOCK, CANCEL, PAUSED, PRIORITY, CLUSTER, *RESULTS}


def is_run_file(name: str) -> bool:
    """Whether postertui itself gives a file of a run this name."""
    return name in _RUN_FILES or is_checkpoint_file(name) or name.endswith(".py")
