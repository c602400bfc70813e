"""Tables as people have them: any delimited text or Parquet into columns that know file and line.

Everything tabular that a user brings is read here: labels, details, histories.

- `decoding`: from a file, packed or not, in any encoding, to UTF-8
- `dialect`: separator and header
- `parsing`: from text to columns of strings
- `records`: JSON's objects, and lists in Parquet, as columns of text
- `table`: the columns, their types, where a value stands
- `reading`: all of it
- `portions`: the same of large files, portion by portion
"""

from postertui.tabular.portions import read_portions
from postertui.tabular.reading import read_tabular
from postertui.tabular.table import MISSING, Table

__all__ = ["MISSING", "Table", "read_portions", "read_tabular"]
