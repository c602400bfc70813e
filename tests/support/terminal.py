"""A real terminal: the program in tmux, keys typed, the screen read."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

import pytest

from tests.support.screen_text import ScreenText

#: Generous, because the machine may be busy; nothing asserts how long a thing takes.
PATIENCE = 120.0

needs_tmux = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")


class Terminal:
    """A shell in a tmux server of its own, `width` by `height` characters, in `folder`.

    The server's socket has a folder of its own, so that terminals of tests beside each other, and
    of the person who runs them, never meet. Its name is short: a socket's path has 107 bytes.
    """

    def __init__(
        self,
        folder: Path,
        *,
        width: int = 160,
        height: int = 48,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self._socket_folder = tempfile.mkdtemp(prefix="tmux-", dir="/tmp")
        bin_folder = Path(sys.executable).parent
        variables = {
            **os.environ,
            "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
            "XDG_STATE_HOME": str(folder / "state"),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "TERM": "xterm-256color",
            **(environment or {}),
        }
        variables.pop("TMUX", None)
        size = ("-x", str(width), "-y", str(height))
        self._tmux(
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            *size,
            "env PS1=ready: bash --norc",
            env=variables,
        )
        try:
            self.wait_for("ready:")
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the terminal, as a dropped connection would: what runs in it gets SIGHUP."""
        if Path(self._socket_folder).exists():
            self._tmux("kill-server", check=False)
            shutil.rmtree(self._socket_folder)

    def run(self, *words: str) -> None:
        """Type a command line and Enter."""
        self.type(shlex.join(words))
        self.press("Enter")

    def type(self, text: str) -> None:
        self._tmux("send-keys", "-l", text)

    def press(self, *keys: str) -> None:
        """Press keys by tmux's names: `Enter`, `Escape`, `C-u`, `x`."""
        self._tmux("send-keys", *keys)

    def resize(self, width: int, height: int) -> None:
        self._tmux("resize-window", "-x", str(width), "-y", str(height))

    def screen(self) -> ScreenText:
        """What is on the screen; `in` finds words also where it wraps them."""
        return ScreenText(self._tmux("capture-pane", "-p").split("\n"))

    def wait_for(
        self, wanted: str | Callable[[str], object], patience: float = PATIENCE
    ) -> ScreenText:
        """Wait until the screen shows `wanted` (or it holds of the screen); the screen then."""
        holds = wanted if callable(wanted) else lambda screen: wanted in screen
        deadline = time.monotonic() + patience
        while not holds(screen := self.screen()):
            assert time.monotonic() < deadline, f"never saw {wanted!r}; the screen is:\n{screen}"
            time.sleep(0.05)
        return screen

    def _tmux(self, *words: str, env: Mapping[str, str] | None = None, check: bool = True) -> str:
        result = subprocess.run(
            ["tmux", "-S", f"{self._socket_folder}/s", *words],
            cwd=self.folder,
            env=env,
            check=check,
            capture_output=True,
            text=True,
        )
        return result.stdout
