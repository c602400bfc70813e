"""Numbers in environment variables, and variables that are set for a while."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from postertui.system.errors import UserError


def read_number(name: str, default: float, *, minimum: float = 0.0) -> float:
    """The number in an environment variable.

    Parameters
    ----------
    name
        The variable.
    default
        The number where it is not set or empty.

    Raises
    ------
    UserError
        For anything but a finite number of at least `minimum`.
    """
    text = os.environ.get(name, "").strip()
    if not text:
        return default
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not minimum <= number < math.inf:
        raise UserError(f"{name}={text!r} is not a number of at least {minimum:g}")
    return number


@contextmanager
def variables_set(values: Mapping[str, str]) -> Iterator[None]:
    """The variables set to these values for the block, for this process and those it starts.

    A library that reads one when it is imported is imported in the block.
    """
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
