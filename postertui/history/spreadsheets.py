"""Tables for spreadsheets, which take some texts for formulas and run them."""

from __future__ import annotations

import polars as pl

#: What a spreadsheet takes for the beginning of a formula, also after control characters.
_FORMULA = r"^'*[=+\-@\t\r]"
_MARKED_FORMULA = r"^'('*[=+\-@\t\r])"

_CONTROL_CHARACTERS = r"[\x00-\x08\x0b-\x1f\x7f-\x9f]"


def spreadsheet_safe(frame: pl.DataFrame) -> pl.DataFrame:
    """`frame` with an apostrophe before texts that would be formulas, without control characters.

    Numbers in columns of numbers stay as they are. For `.csv` files; `.tsv` files are exact.
    """
    texts = pl.col(pl.String)
    return frame.with_columns(
        texts.str.replace_all(_CONTROL_CHARACTERS, "").str.replace(_FORMULA, "'$0")
    )


def without_marks(texts: pl.Series) -> pl.Series:
    """Texts of a file that `spreadsheet_safe` wrote, as they were."""
    return texts.str.replace(_MARKED_FORMULA, "$1")
