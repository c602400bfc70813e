"""The identity of a process: a pid alone may name another one later, or after a restart.

Whether a run is being trained follows from its flock; a process is only identified to signal it.
"""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path
from typing import Any

import msgspec


class Process(msgspec.Struct, frozen=True):
    """A process on one boot of one machine.

    Parameters
    ----------
    started
        When, in clock ticks after the boot.
    boot
        The kernel's name for that boot (`boot_id`).
    """

    pid: int
    started: int
    boot: str
    host: str

    @classmethod
    def current(cls) -> Process:
        pid = os.getpid()
        return cls(pid, _start_ticks(pid) or 0, boot_id(), socket.gethostname())

    @classmethod
    def from_event(cls, event: dict[str, Any]) -> Process | None:
        """The process that wrote a `start` event; None where the event does not name one."""
        try:
            return msgspec.convert(event, cls)
        except msgspec.ValidationError:
            return None

    def is_alive(self) -> bool:
        """Whether this very process is there and not a zombie."""
        return self.boot == boot_id() and _start_ticks(self.pid) == self.started

    def has_open(self, path: Path) -> bool:
        """Whether this very process has the file at `path` open; False where that is secret."""
        try:
            file = path.stat()
            links = list(Path(f"/proc/{self.pid}/fd").iterdir())
        except OSError:
            return False
        return any(_leads_to(link, file) for link in links)

    def signal(self, number: signal.Signals, *, holding: Path | None = None) -> bool:
        """Send a signal to this very process; False where it was not sent.

        Parameters
        ----------
        number
            The signal.
        holding
            A lock's file that the process must have open. Others who can write to a runs folder
            can name any process of this user's in it, but not make it open a file.
        """
        try:
            fd = os.pidfd_open(self.pid)
        except (OSError, ValueError, OverflowError):
            return False
        try:
            # The descriptor pins the pid, so that what is checked is what is signalled.
            if not self.is_alive() or not (holding is None or self.has_open(holding)):
                return False
            signal.pidfd_send_signal(fd, number)
        except OSError:
            return False
        finally:
            os.close(fd)
        return True


def _leads_to(link: Path, file: os.stat_result) -> bool:
    try:
        return os.path.samestat(link.stat(), file)
    except OSError:
        return False


def boot_id() -> str:
    """The kernel's name for this boot of the machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _start_ticks(pid: int) -> int | None:
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except (OSError, ValueError):
        return None
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def memory_of(pid: int) -> int | None:
    """The memory of its own that a process has in RAM, in bytes; None where it is gone.

    Without what it has mapped from files: libraries (TensorFlow's are 400 MB) and features can be
    read again and are dropped first when memory is short, so that no limit counts them.
    """
    try:
        _, resident, from_files, *_ = Path(f"/proc/{pid}/statm").read_bytes().split()
    except (OSError, ValueError):
        return None
    return (int(resident) - int(from_files)) * os.sysconf("SC_PAGE_SIZE")


def child_environment() -> dict[str, str]:
    """This process's environment, with `postertui` importable from wherever this one was."""
    root = os.fspath(Path(__file__).resolve().parents[2])
    paths = [root, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths))}
