"""Why a file is no log of 2017."""

from __future__ import annotations


class UnreadableLogError(Exception):
    """A file that is no log of 2017; the message says why."""
