"""The job's entry: see `postertui.training.job`."""

from __future__ import annotations

import argparse
import contextlib
import functools
import gc
import importlib
import os
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from postertui.system.errors import UserError
from postertui.system.gc_pause import gc_paused
from postertui.system.sharing import restrict_umask
from postertui.training import compile_cache, environment
from postertui.training.job.attempt import Attempt
from postertui.training.job.interface import RunTrainer
from postertui.training.job.result import Result
from postertui.training.job.stop_listener import StopListener

#: Interactive programs on the same machine go first.
NICENESS = 5


def main() -> int:
    """Train the runs named on the command line, or those that come over a socket; the exit code."""
    parser = argparse.ArgumentParser(prog="postertui.training.job")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("runs", nargs="*", type=Path, default=[])
    what.add_argument("--socket", type=int)
    arguments = parser.parse_args()
    folders = [run.resolve() for run in arguments.runs]
    runs = os.environ.get("POSTERTUI_RUNS_FOLDER") or (*folders, Path.cwd())[0].parent
    restrict_umask(Path(runs))
    with contextlib.suppress(OSError):
        os.nice(NICENESS)
    environment.hide_unused_packages()
    listener = StopListener()
    if arguments.socket is not None:
        return serve(arguments.socket, listener)
    result = train_runs(folders, listener)
    if result.reason:
        sys.stderr.write(f"{arguments.runs[0]}: {result.outcome}: {result.reason}\n")
    return {"done": 0, "closed": 0, "held": 3}.get(result.outcome, 1)


def serve(fd: int, listener: StopListener) -> int:
    """Train the runs that arrive, until the other end is closed."""
    # A helper that the trainer starts would keep the socket open after this job's end.
    os.set_inheritable(fd, False)
    with socket.socket(fileno=fd) as channel:
        while data := _receive(channel):
            message = msgspec.json.decode(data)
            accepted_digests = frozenset(message.get("accepted_digests", ()))
            folders = [Path(message["folder"]) / run for run in message["runs"]]
            result = train_runs(folders, listener, accepted_digests)
            # The supervisor may be gone; the run's own events are complete.
            with contextlib.suppress(OSError):
                channel.send(msgspec.json.encode(_report(result)))
    return 0


def train_runs(
    folders: Sequence[Path], listener: StopListener, accepted_digests: frozenset[str] = frozenset()
) -> Result:
    """Train the run in `folders`, or the runs that are trained together, and tidy up."""
    result = Attempt(folders, make_trainer, listener, accepted_digests).run()
    gc.collect()  # milliseconds, for what is loaded is frozen
    compile_cache.seal()
    return result


def _receive(channel: socket.socket) -> bytes:
    try:
        return channel.recv(65536)
    except ConnectionError:
        return b""


def _report(result: Result) -> dict[str, str]:
    kind = result.outcome if result.outcome in ("held", "full") else "released"
    return {"kind": kind, "reason": result.reason}


@functools.cache
def make_trainer() -> RunTrainer:
    """The trainer, made once: TensorFlow stays warm from run to run.

    `POSTERTUI_TRAINER=module:factory` takes another one, for tests and benchmarks.
    """
    environment.prepare()
    compile_cache.enable(environment.threads())
    module, _, name = os.environ.get(
        "POSTERTUI_TRAINER", "postertui.training.trainer:Trainer"
    ).partition(":")
    # TensorFlow's modules are half a million objects; one look at all of them takes .2 s.
    with gc_paused(freeze=True):
        try:
            factory: Callable[[], RunTrainer] = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError, ValueError) as error:
            given = os.environ.get("POSTERTUI_TRAINER")
            if given is None:
                raise
            raise UserError(f"POSTERTUI_TRAINER={given}: no such trainer: {error}") from None
        return factory()


if __name__ == "__main__":
    # Not a plain exit: the frameworks' threads may hang in their destructors.
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
