"""Runs that other programs train and write: the same folders, lock, durability and states.

`postertui.log_run` is for any script, `postertui.keras.RunLogger` for Keras. Nothing here imports a
framework, a terminal or a table library, so that a training script may import it at no cost.
"""

from postertui.recorder.logged_run import LoggedRun

__all__ = ["LoggedRun"]
