"""Predicates on records: what a word, a glob or a comparison accepts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from fnmatch import fnmatchcase
from functools import partial
from operator import ge, gt, le, lt
from typing import Any

#: The variant that every study has; families are called after it too.
DEFAULT_VARIANTS = frozenset({"base"})

Record = Mapping[str, Any]
Predicate = Callable[[Record], bool]


#: The comparisons of numbers.
ORDER: dict[str, Callable[[Any, Any], bool]] = {"<": lt, "<=": le, ">": gt, ">=": ge}


#: The texts of a record in which a word is looked for.
TEXTS = ("genre", "variant", "family", "regularizer", "state", "standing", "study", "run", "tag")


def text_contains(word: str) -> Predicate:
    """Records of which some text contains `word`, which may be a glob.

    A record with an attribute `search_text` has all of `TEXTS` in it, in lower case and with a null
    character between two of them.
    """
    pattern = _glob(word, contains=True)
    if not set(word) & {"*", "?"}:
        # A tenth of a pattern's time; with each letter that is typed, all runs are looked at.
        return partial(_contains, word.lower())
    return lambda record: any(fnmatchcase(_text(record.get(f)), pattern) for f in TEXTS)


def _contains(word: str, record: Record) -> bool:
    if (text := getattr(record, "search_text", None)) is not None:
        return word in text
    get = record.get
    for field in TEXTS:
        value = get(field)
        if value and word in (value.lower() if isinstance(value, str) else _text(value)):
            return True
    return False


def number_compares(field: str, compare: Callable[[Any, Any], bool], bound: float) -> Predicate:
    """Records whose `field` is a number for which `compare(field, bound)` holds.

    Parameters
    ----------
    compare
        Is given the record's number and `bound`, such as `operator.lt`.
    bound
        In the field's units.
    """

    def matches(record: Record) -> bool:
        value = record.get(field)
        return isinstance(value, int | float) and compare(value, bound)

    return matches


def value_equals(
    field: str, value: str, *, glob: bool, variants: Collection[str] = DEFAULT_VARIANTS
) -> Predicate:
    """Records whose field is one of several values.

    Parameters
    ----------
    field
        `variant` means the name of a variant, or else a family.
    value
        One or more, separated by commas.
    glob
        Whether `*` and `?` in them stand for any text.
    variants
        The names there are: a value that is one of them, or a glob that matches one, selects no
        family.
    """
    accepted = [v for v in value.split(",") if v]
    if field == "variant":
        named = [v for v in accepted if selects_name(v, variants, glob=glob)]
        families = [v for v in accepted if v not in named]
        by_name = value_equals("name", ",".join(named), glob=glob)
        by_family = value_equals("family", ",".join(families), glob=glob)
        return lambda record: by_name(record) or by_family(record)
    # A held run is queued or interrupted, too.
    fields = ("state", "standing") if field == "state" else (field,)
    patterns = [_glob(v, contains=False) if glob else v.lower() for v in accepted]
    numbers = [n for n in map(as_number, accepted) if n is not None]

    def matches(record: Record) -> bool:
        for name in fields:
            recorded = record.get(name)
            if (
                isinstance(recorded, int | float)
                and not isinstance(recorded, bool)
                and recorded in numbers
            ):
                return True
            text = _text(recorded)
            if glob and any(fnmatchcase(text, p) for p in patterns):
                return True
            if not glob and text in patterns:
                return True
        return False

    return matches


def selects_name(value: str, variants: Collection[str], *, glob: bool) -> bool:
    """Whether a value of `variant:` selects variants by their names, and not by their family."""
    if not glob:
        return value.lower() in (name.lower() for name in variants)
    pattern = _glob(value, contains=False)
    return any(fnmatchcase(name.lower(), pattern) for name in variants)


def _glob(value: str, *, contains: bool) -> str:
    pattern = value.lower().replace("[", "[[]")
    return f"*{pattern}*" if contains else pattern


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value.lower()
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple | set | frozenset):
        return " ".join(map(str, value)).lower()
    return str(value).lower()


def as_number(text: str) -> float | None:
    """The number that `text` says; None where it says none."""
    try:
        return float(text)
    except ValueError:
        return None
