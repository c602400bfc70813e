"""`python -m postertui.supervisor RUNS [--jobs N]`: start the folder's supervisor and return.

What stays is a grandchild without a terminal, which need not be waited for. Exit code 0: it has
the folder's lock and works; 3: another one holds it; 1: it could not start (one line says why).
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import traceback
from pathlib import Path

from postertui.runs import layout
from postertui.supervisor import folder as files
from postertui.supervisor.backends.base import Backend
from postertui.supervisor.backends.local import LocalJobs
from postertui.supervisor.service import Supervisor
from postertui.system.errors import UserError
from postertui.system.locks import FileLock

HELD = 3


def main() -> int:
    parser = argparse.ArgumentParser(prog="postertui.supervisor")
    parser.add_argument("runs", type=Path)
    parser.add_argument("--jobs", type=int)
    parser.add_argument("--foreground", action="store_true", help="stay attached; for containers")
    arguments = parser.parse_args()
    folder = arguments.runs.resolve()
    if arguments.foreground:
        return serve(folder, arguments.jobs, None)
    reading, writing = os.pipe()
    if child := os.fork():
        os.close(writing)
        with os.fdopen(reading, "rb") as answers:
            answer = answers.read()
        if answer == b"ready":
            return 0
        os.waitpid(child, 0)
        if answer == b"held":
            return HELD
        sys.stderr.write(answer.decode() or "the supervisor ended before it began\n")
        return 1
    os.close(reading)
    os.setsid()
    code = 1
    try:
        code = serve(folder, arguments.jobs, writing)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def serve(folder: Path, jobs: int | None, report_fd: int | None) -> int:
    """Run the supervisor of `folder` until there is no work left; the exit code.

    `report_fd` is closed after it has carried `ready`, `held` or one line of error.
    """
    try:
        # What jobs write is private, whatever the umask of the caller.
        os.umask(0o077)
        lock = FileLock(folder / layout.SUPERVISOR_LOCK)
        if not lock.acquire():
            _report(report_fd, b"held")
            return HELD
        _detach_stdio(folder, stay=report_fd is None)
        (folder / layout.CHANGE_COUNTER).unlink(missing_ok=True)
        supervisor = Supervisor(folder, choose_backend(folder, jobs))
    except OSError as error:
        _report(report_fd, f"{error.filename or folder}: {error.strerror}\n".encode())
        return 1
    except UserError as error:
        _report(report_fd, f"{error}\n".encode())
        return 1
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: supervisor.stop())
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    _report(report_fd, b"ready")
    while True:
        try:
            supervisor.run()
        finally:
            supervisor.finish()
            lock.release()
        # A client that queued a run while the lock was still held started no supervisor.
        if supervisor.is_stopping or not supervisor.has_work() or not lock.acquire():
            return 0


def choose_backend(folder: Path, jobs: int | None) -> Backend:
    """The backend that the folder's settings ask for."""
    settings = files.read_settings(folder)
    if settings.on is None:
        return LocalJobs(folder, jobs, memory_limit())
    from postertui.supervisor.backends.ray.address import parse_address
    from postertui.supervisor.backends.ray.backend import RayJobs

    return RayJobs(folder, parse_address(settings.on), jobs or settings.jobs, settings.gpu)


def memory_limit() -> int | None:
    """The most a job may use, in bytes: POSTERTUI_JOB_MEMORY_MB, else four fifths of it all.

    Raises `UserError` where that variable is no number.
    """
    if given := os.environ.get("POSTERTUI_JOB_MEMORY_MB"):
        if not given.isdecimal():
            raise UserError(f"POSTERTUI_JOB_MEMORY_MB={given!r} is not a number of megabytes")
        return int(given) << 20
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            total = min(total, int(Path(path).read_text()))
        except (OSError, ValueError):
            continue
    return total * 4 // 5


def _report(fd: int | None, text: bytes) -> None:
    if fd is not None:
        os.write(fd, text)
        os.close(fd)


def _detach_stdio(folder: Path, *, stay: bool) -> None:
    """No terminal on any of the three, so that closing one changes nothing."""
    if stay:
        return
    nothing = os.open(os.devnull, os.O_RDONLY)
    log = os.open(folder / layout.SUPERVISOR_LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(nothing, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(nothing)
    os.close(log)


if __name__ == "__main__":
    sys.exit(main())
