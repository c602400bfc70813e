"""A folder that stays the same one, whatever takes its place."""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from postertui.system.errors import UserError


class OpenFolder:
    """The folder that lies at `path` now, open for as long as this object lives.

    `place` leads to it even where another folder has taken its path; on systems without /proc it
    is just the path. Raises `OSError` where there is no folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        weakref.finalize(self, os.close, self._fd)
        place = Path(f"/proc/self/fd/{self._fd}")
        self.place = place if place.exists() else path

    @contextmanager
    def errors_explained(self) -> Iterator[None]:
        """Let messages of `UserError` name `path` where they name `place`."""
        try:
            yield
        except UserError as error:
            if self._is_replaced():
                raise UserError(
                    f"{self.path}: the data was built again or moved since it was opened; "
                    "queue what was to read it again",
                    exit_code=error.exit_code,
                ) from None
            text = str(error).replace(os.fspath(self.place), os.fspath(self.path))
            raise UserError(text, exit_code=error.exit_code) from None

    def _is_replaced(self) -> bool:
        """Whether another folder, or none, lies at `path` now."""
        try:
            return not os.path.samestat(os.fstat(self._fd), self.path.stat())
        except OSError:
            return True
