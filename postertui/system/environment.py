"""Numbers in environment variables."""

from __future__ import annotations

import math
import os

from postertui.system.errors import UserError


def read_number(name: str, default: float, *, minimum: float = 0.0) -> float:
    """The number in the environment variable `name`, or `default` where it is not set.

    Raises `UserError` for anything but a finite number of at least `minimum`.
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
