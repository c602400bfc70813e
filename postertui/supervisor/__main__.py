"""`python -m postertui.supervisor RUNS [--jobs N]`: start the folder's supervisor and return.

What stays is a grandchild without a terminal, which need not be waited for. Exit code 0: it has
the folder's lock and works; 3: another one holds it; 1: it could not start (one line says why).
"""

from __future__ import annotations

import argparse
import faulthandler
import os
import signal
import sys
import time
import traceback
from pathlib import Path

from postertui.runs import layout
from postertui.supervisor import folder as files
from postertui.supervisor.backends.base import Backend
from postertui.supervisor.backends.clusters import HERE, open_cluster
from postertui.supervisor.backends.local import LocalJobs
from postertui.supervisor.backends.memory import memory_budget
from postertui.supervisor.known_clusters import check_known
from postertui.supervisor.log import write_log
from postertui.supervisor.service import Supervisor
from postertui.supervisor.starting import HELD
from postertui.system.crash_log import log_traceback
from postertui.system.errors import UserError
from postertui.system.locks import FileLock
from postertui.system.regular_files import open_regular
from postertui.system.sharing import restrict_umask


def main() -> int:
    """Serve a runs folder, detached unless asked otherwise; the exit code."""
    parser = argparse.ArgumentParser(prog="postertui.supervisor")
    parser.add_argument("runs", type=Path)
    parser.add_argument("--jobs", type=int)
    parser.add_argument("--foreground", action="store_true", help="stay attached; for containers")
    parser.add_argument("--report-fd", type=int, help="a pipe that gets `ready`, or an error")
    arguments = parser.parse_args()
    folder = arguments.runs.resolve()
    if arguments.foreground:
        return serve(folder, arguments.jobs, arguments.report_fd, stay=True)
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


def serve(folder: Path, jobs: int | None, report_fd: int | None, *, stay: bool = False) -> int:
    """Run the supervisor of `folder` until there is no work left; the exit code.

    `report_fd` is closed after it has carried `ready`, `held` or one line of error; without it,
    errors go to standard error. `stay`: keep the standard streams.
    """
    try:
        # What jobs write is private, or the folder's group's, whatever the umask of the caller.
        restrict_umask(folder)
        lock = FileLock(folder / layout.SUPERVISOR_LOCK)
        if not lock.acquire():
            _report(report_fd, b"held")
            return HELD
        _detach_stdio(folder, stay=stay)
        files.renew_change_counter(folder)
        supervisor = Supervisor(folder, choose_backend(folder, jobs), lock=lock)
        supervisor.scan()
    except OSError as error:
        _report(report_fd, f"{error.filename or folder}: {error.strerror}\n".encode())
        return 1
    except UserError as error:
        _report(report_fd, f"{error}\n".encode())
        return 1
    except Exception as error:
        _report(report_fd, f"{log_traceback(error)}\n".encode())
        return 1
    _handle_signals(supervisor)
    _report(report_fd, b"ready")
    while True:
        try:
            supervisor.run()
        except BaseException as error:
            supervisor.fail(error)
            raise
        finally:
            supervisor.finish()
            lock.release()
        # A client that queued a run while the lock was still held started no supervisor.
        if supervisor.is_stopping or not supervisor.has_work() or not lock.acquire():
            return 0


def _handle_signals(supervisor: Supervisor) -> None:
    """Give every signal a meaning that tools may send.

    SIGTERM, SIGINT, and SIGUSR2, which batch systems can send before time is up: stop, resumably.
    SIGHUP, which a lost terminal sends too: read the folder again. SIGUSR1: say in the log what it
    is doing.
    """

    def report_state(*_: object) -> None:
        write_log(f"{time.strftime('%Y-%m-%d %H:%M:%S%z')} {supervisor.describe()}")
        faulthandler.dump_traceback()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR2):
        signal.signal(number, lambda *_: supervisor.stop())
    signal.signal(signal.SIGHUP, lambda *_: supervisor.scan_soon())
    signal.signal(signal.SIGUSR1, report_state)


def choose_backend(folder: Path, jobs: int | None) -> Backend:
    """The backend that the folder's settings ask for."""
    settings = files.read_settings(folder)
    if settings.on is not None:
        check_known(folder, settings.on)
    cluster = open_cluster(settings.on or HERE)
    if cluster is not None:
        return cluster.backend(folder, jobs or settings.jobs, settings.gpu)
    return LocalJobs(folder, jobs or settings.jobs, memory_budget(), device=settings.device)


def _report(fd: int | None, text: bytes) -> None:
    if fd is not None:
        os.write(fd, text)
        os.close(fd)
    elif text not in (b"ready", b"held"):
        sys.stderr.write(text.decode())


def _detach_stdio(folder: Path, *, stay: bool) -> None:
    """No terminal on any of the three, so that closing one changes nothing."""
    if stay:
        return
    nothing = os.open(os.devnull, os.O_RDONLY)
    log = open_regular(folder / layout.SUPERVISOR_LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(nothing, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(nothing)
    os.close(log)


if __name__ == "__main__":
    sys.exit(main())
