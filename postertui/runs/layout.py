"""The name of every file in a run's folder; no other module spells one.

`runs/<run>/` holds what one run is and did. Its one writer is whoever holds `lock`.
"""

from __future__ import annotations

#: What to train; written once, before the first event.
SPEC = "run.json"

#: What happened, append-only (see `postertui.runs.events`).
EVENTS = "events.jsonl"

#: The newest epoch's weights and optimiser state.
CHECKPOINT = "checkpoint"

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
