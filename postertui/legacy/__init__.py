"""The logs of 2017: what their names say, and what is in them.

A log is a Python dictionary of lists, as Keras' `History.history` printed it, followed by the
confusion counts of the final model. Nothing in it is ever run.

- `names`: a file's name as family, Regularizer, FC1, FC2 and genre
- `literals`: dictionaries, lists and numbers as Python prints them
- `logs`: a log's metrics and confusion counts
"""

from postertui.legacy.literals import MAX_BYTES, parse_literal
from postertui.legacy.logs import Log, parse_log, read_log
from postertui.legacy.names import LogName, parse_name
from postertui.legacy.unreadable import UnreadableLogError

__all__ = [
    "MAX_BYTES",
    "Log",
    "LogName",
    "UnreadableLogError",
    "parse_literal",
    "parse_log",
    "parse_name",
    "read_log",
]
