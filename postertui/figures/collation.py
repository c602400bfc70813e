"""Order as R gives it to factor levels: letters before case, `base` before `BCE loss`."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import TypeVar

T = TypeVar("T")

#: Punctuation in the order of the Unicode Collation Algorithm's default table; it comes after
#: blanks and before digits, and those before letters.
_PUNCTUATION = "_-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$"
_RANK = {character: rank for rank, character in enumerate(_PUNCTUATION)}


def collation_key(text: str) -> tuple[object, ...]:
    """A sort key: base letters first, then accents, then lower case before upper."""
    decomposed = unicodedata.normalize("NFD", text)
    letters = tuple(_primary(c) for c in decomposed if not unicodedata.combining(c))
    accents = tuple(c for c in decomposed if unicodedata.combining(c))
    return letters, accents, tuple(c.isupper() for c in decomposed)


def sort_values(values: Iterable[T]) -> list[T]:
    """The distinct values as R would order a factor's levels: numbers by size, text by collation.

    A missing value comes last.
    """
    distinct = list(dict.fromkeys(values))
    return sorted(distinct, key=_value_key)


def _value_key(value: object) -> tuple[object, ...]:
    if value is None:
        return (2, 0)
    if isinstance(value, int | float):
        return (0, value)
    return (1, collation_key(str(value)))


def _primary(character: str) -> tuple[int, int, str]:
    if character.isspace():
        return (0, 0, "")
    if character in _RANK:
        return (1, _RANK[character], "")
    if character.isdigit():
        return (2, unicodedata.digit(character, 0), "")
    if character.isalpha():
        return (3, 0, character.casefold())
    return (1, len(_PUNCTUATION) + ord(character), "")
