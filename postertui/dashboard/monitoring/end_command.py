"""The command that the user has run when a run fails or a study has ended."""

from __future__ import annotations

import contextlib
import shlex
import subprocess


class EndCommand:
    """Runs the user's `command` with a message as its last argument, one at a time."""

    def __init__(self, command: str) -> None:
        self._command = command
        self._running: list[subprocess.Popen[bytes]] = []

    def run(self, message: str) -> str:
        """Start it; what is wrong where it cannot be started, or ``."""
        self._running = [p for p in self._running if p.poll() is None]
        try:
            words = shlex.split(self._command)
        except ValueError as error:
            return f"on_end: {error}"
        if not words:
            return ""
        try:
            self._running.append(
                subprocess.Popen(
                    [*words, message],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                )
            )
        except OSError as error:
            return f"on_end: {words[0]}: {error.strerror}"
        return ""

    def close(self) -> None:
        """Collect those that have ended; the others outlive this process."""
        for process in self._running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.2)
