"""Watching: the machine, a run's log, its config."""
