"""How a run stands, in one word: the same in the dashboard, the command line and messages."""

from __future__ import annotations

from postertui.runs.lifecycle import OPEN_STATES

#: The word for a queue that starts no further run. Single runs are `held`.
QUEUE_PAUSED = "paused"

#: Each word for a run, and what it means. Those that are no `State` hide one: a held run is
#: queued or interrupted.
STATE_WORDS = {
    "running": "a job trains it",
    "queued": "waits for its turn",
    "held": "was asked to wait; others go first until it is released",
    "interrupted": "stopped before its end; goes on from its last epoch at its turn",
    "cancelling": "was asked to end; does so within an epoch",
    "done": "trained to its end",
    "failed": "ended by a mistake; retry goes on from its last epoch",
    "cancelled": "ended on request; retry goes on from its last epoch",
    "unreadable": "another account's, which this one may not read",
    "newer": "made by a newer version of postertui",
    "damaged": "its files are not whole; `postertui doctor` says how",
}


def state_word(
    state: str, *, problem: str | None = None, cancelling: bool = False, held: bool = False
) -> str:
    """The word of `STATE_WORDS` for a run in `state`, or for what hides that.

    `problem` is what keeps the run from being read; `cancelling` and `held` are what was asked for.
    """
    if problem is not None:
        return problem
    is_open = state in OPEN_STATES
    if cancelling and is_open:
        return "cancelling"
    return "held" if held and is_open and state != "running" else state
