"""What the word being typed could become."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from postertui.filters.fields import ALIASES, FIELDS


def complete(text: str, values: Mapping[str, Collection[str]]) -> list[str]:
    """What the last word of a filter could become.

    Parameters
    ----------
    text
        What has been typed so far.
    values
        The values that occur, by field.

    Returns
    -------
    list of str
        The whole text with the last word completed: to a field, or to a field's value.
    """
    last = re.split(r"[\s()]", text)[-1]
    head = text[: len(text) - len(last)]
    field, colon, start = last.partition(":")
    if not colon:
        return [f"{head}{name}:" for name in FIELDS if name.startswith(last.lower()) and last]
    done, comma, start = start.rpartition(",")
    candidates = sorted(values.get(ALIASES.get(field, field), ()), key=str.lower)
    options = [v for v in candidates if v.lower().startswith(start.lower())]
    quoted = [f'"{v}"' if " " in v else v for v in options]
    return [f"{head}{field}:{done}{comma}{v}" for v in quoted]
