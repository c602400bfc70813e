"""Reading a runs folder: every run's state and history, kept up to date as files grow.

A `Store` only reads runs. It keeps metrics as columns of numbers, 5,000 runs of 100 epochs in
little more than a hundred megabytes of pages that the system may drop again, and remembers closed
runs in `runs/.cache`, which can be deleted at any time.
"""

from postertui.runs.epoch_line import COLUMNS, METRICS
from postertui.runs.store.reader import Store, read_run
from postertui.runs.store.run import SETTINGS, Run

__all__ = ["COLUMNS", "METRICS", "SETTINGS", "Run", "Store", "read_run"]
