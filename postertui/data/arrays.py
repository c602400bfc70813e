"""NumPy arrays in files."""

from __future__ import annotations

from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
from numpy.typing import NDArray

from postertui.system.errors import UserError
from postertui.system.regular_files import check_is_file

# What NumPy raises for bytes that are no array: its header is a Python literal, which it tokenizes.
BROKEN_ARRAY_ERRORS = (ValueError, EOFError, SyntaxError, TypeError, TokenError)


def open_array(path: Path) -> NDArray[Any]:
    """The array in a `.npy` file, memory-mapped and never unpickled.

    Raises `UserError` where the file is missing, unreadable or not whole.
    """
    try:
        check_is_file(path)
        return np.load(path, mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]
    except FileNotFoundError:
        raise UserError(f"{path}: is missing; build the data again") from None
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from None
    except BROKEN_ARRAY_ERRORS:
        raise UserError(f"{path}: not a whole .npy file; build the data again") from None
