"""A program in a pseudo-terminal whose output is read as fast as a link would carry it."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self


class Terminal:
    """`command` in a terminal of `size` (columns, rows); `rate` in bytes a second, None for all.

    `arrived` lists (when, bytes the program had written) of everything that was read. Standard
    error is the terminal too, for that is where Textual draws.
    """

    def __init__(
        self,
        command: Sequence[str],
        size: tuple[int, int] = (160, 48),
        rate: int | None = None,
        environment: dict[str, str] | None = None,
    ) -> None:
        self.rate = rate
        self.arrived: list[tuple[float, int]] = []
        self.total = 0
        self._seen = bytearray()
        self._wanted: bytes | None = None
        self._found = threading.Event()
        self._master, slave = pty.openpty()
        columns, rows = size
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            close_fds=True,
            start_new_session=True,
            env={**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor",
                 **(environment or {})},
        )  # fmt: skip
        os.close(slave)
        self._stopped = False
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _read(self) -> None:
        written, budget, before = 0, 0.0, time.monotonic()
        while not self._stopped:
            ready, _, _ = select.select([self._master], [], [], 0.1)
            if not ready:
                continue
            most = 65536
            if self.rate is not None:
                # What the link could have carried by now; it saves up no more than 50 ms.
                now = time.monotonic()
                budget = min(budget + self.rate * (now - before), self.rate * 0.05)
                before = now
                if budget < 64:
                    time.sleep(0.005)
                    continue
                most = int(budget)
            try:
                data = os.read(self._master, most)
            except OSError:
                return
            self.total += len(data)
            # The terminal makes two bytes of a line's end; the program wrote one.
            written += len(data) - data.count(b"\r\n")
            self.arrived.append((time.monotonic(), written))
            if self._wanted is not None:
                self._seen += data
                if self._wanted in self._seen:
                    self._wanted = None
                    self._found.set()
                del self._seen[: -4 * 65536]
            budget -= len(data)

    def press(self, keys: bytes) -> float:
        """Send keys; when that was."""
        when = time.monotonic()
        os.write(self._master, keys)
        return when

    def expect(self, text: str) -> None:
        """Look out for `text` from now on; `wait` then waits for it."""
        self._found.clear()
        self._seen.clear()
        self._wanted = text.encode()

    def wait(self, patience: float = 60.0) -> float:
        """When the expected text had come."""
        if not self._found.wait(patience):
            raise TimeoutError("the program did not show what was expected")
        return time.monotonic()

    def arrival_of(self, count: int) -> float | None:
        """When the first `count` bytes had been read."""
        return next((when for when, total in self.arrived if total >= count), None)

    def cpu_seconds(self) -> float:
        """Processor time of the program itself so far, user and system."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self, what: str = "VmHWM") -> int:
        """Bytes of memory: the most there were (VmHWM) or now (VmRSS)."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(what))

    def close(self) -> None:
        """End the program by SIGTERM, or by force; harmless a second time."""
        if self._stopped:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._stopped = True
        self._thread.join()
        os.close(self._master)
