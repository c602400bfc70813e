"""The filter language: one language that selects runs, in the dashboard and on the command line.

    comedy                     a bare word matches any text of a run
    genre:comedy variant:l2-*  a field, with globs; terms side by side mean `and`
    state:running,queued       any of several
    fc1=256  fc1!=256          equal to, not equal to
    test_fscore>0.3            numbers compare with < <= > >=
    and or not ( )             as anywhere

A filter works on records: flat mappings from field to value, as `Run.record` gives them. Metrics
are those of the run's newest epoch, and may be any that a training script recorded. Text is
compared without regard to case.
"""

from postertui.filters.completion import complete
from postertui.filters.fields import ALIASES, FIELDS
from postertui.filters.grammar import Filter, FilterError, check_fields, parse
from postertui.filters.matching import Predicate, Record

__all__ = [
    "ALIASES",
    "FIELDS",
    "Filter",
    "FilterError",
    "Predicate",
    "Record",
    "check_fields",
    "complete",
    "parse",
]
