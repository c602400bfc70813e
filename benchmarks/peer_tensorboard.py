"""TensorBoard as a process, asked for points as a browser would ask."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Self

TAG = "test/fscore_soft"


class TensorBoard:
    """`tensorboard --logdir` on a free port, until the context ends."""

    def __init__(self, events: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tensorboard.main",
                f"--logdir={events}",
                f"--port={self._port}",
            ],
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait()

    def check(self, patience: float) -> None:
        """Raise RuntimeError where it has ended, or has been running for `patience` seconds."""
        if self.process.poll() is not None or time.monotonic() - self.started > patience:
            raise RuntimeError("TensorBoard did not hand out all points")

    def points(self, runs: list[str]) -> dict[str, int]:
        """How many points of each run it hands out; empty before it listens."""
        form = urllib.parse.urlencode([("tag", TAG), *(("runs", run) for run in runs)]).encode()
        url = f"http://127.0.0.1:{self._port}/data/plugin/scalars/scalars_multirun"
        try:
            with urllib.request.urlopen(url, form, timeout=60) as answer:
                return {run: len(values) for run, values in json.load(answer).items()}
        except (urllib.error.URLError, OSError, ValueError):
            return {}
