"""The thread that ends a job's process, beside a run that ends by itself."""

from __future__ import annotations

import subprocess
import sys

#: The run ends, and its lock is gone, while the listener looks whether its folder is in place.
_END_WHILE_LOOKED_AT = """
import threading
from pathlib import Path
from postertui.training.job.stop_listener import StopListener

listener = StopListener()
looked, ended = threading.Event(), threading.Event()

def end():
    listener.end()
    ended.set()

def is_displaced():
    threading.Thread(target=end).start()
    has_lost_its_lock = ended.wait(0.3)
    looked.set()
    return has_lost_its_lock

listener.begin([Path("run")], print, is_displaced)
looked.wait()
ended.wait()
print("went on")
"""

#: The folder was moved, but the run had its end before that could be written, and the next began.
_NEXT_RUN_BEGINS = """
import threading
from pathlib import Path
from postertui.training.job.stop_listener import StopListener

listener = StopListener()
moved, looked_again = threading.Event(), threading.Event()

def is_displaced():
    moved.set()
    return True

def is_still_displaced():
    looked_again.set()
    return False

with listener.writing:
    listener.begin([Path("moved")], print, is_displaced)
    moved.wait()
    listener.end()
    listener.begin([Path("next")], print, is_still_displaced)
looked_again.wait()
print("went on")
"""


def test_run_that_ends_while_it_is_looked_at_does_not_end_the_process() -> None:
    assert _output_of(_END_WHILE_LOOKED_AT) == "went on"


def test_end_of_a_run_that_was_moved_is_not_written_to_the_next() -> None:
    assert _output_of(_NEXT_RUN_BEGINS) == "went on"


def _output_of(script: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return done.stdout.strip()
