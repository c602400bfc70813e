"""The job: a process that trains runs, one at a time, and alone writes their events.

    python -m postertui.training.job RUN_FOLDER…  train one run and leave, or a group together
    python -m postertui.training.job --socket FD  train the runs that the supervisor names

An epoch is recorded in three steps: its checkpoint is written beside the current one, its event is
appended, the checkpoint takes the current one's place. Wherever that is cut off, one of the two
files fits the events, so that no finished epoch is lost and none is recorded twice.

Genres that share layers are trained together: one attempt at several runs, each with events, log
and results of its own, and one checkpoint of all.
"""
