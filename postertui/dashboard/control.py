"""What the dashboard asks of the supervisor; it never touches a run itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from postertui.errors import UserError


class ReadOnlyError(UserError):
    """An action was asked for that changes something, and the dashboard only reads."""

    def __init__(self) -> None:
        super().__init__("read-only: start without --read-only to change runs")


class Control:
    """Requests to whoever works on `folder`. With `read_only` each raises `ReadOnlyError`."""

    def __init__(self, folder: Path, *, read_only: bool = False) -> None:
        self.folder = folder
        self.read_only = read_only

    def _client(self) -> Any:
        if self.read_only:
            raise ReadOnlyError
        from postertui.supervisor import requests

        return requests

    def cancel(self, runs: Sequence[str]) -> None:
        self._client().cancel(self.folder, list(runs))

    def retry(self, runs: Sequence[str]) -> None:
        client = self._client()
        client.retry(self.folder, list(runs))
        client.ensure_supervisor(self.folder)
