"""Drawing several figures at once: worker processes that each draw one after the other.

A worker is a fresh interpreter that reads jobs from its standard input and writes results to its
standard output, both pickled and both only between this module's two ends. It imports plotnine as
soon as it is started, so that the parent may read the table meanwhile, and ends when its parent
does.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any, Self

from postertui.figures.files import Format
from postertui.figures.font_cache import font_cache
from postertui.figures.lean_import import without_help_texts
from postertui.figures.picture import Picture
from postertui.system.gc_pause import gc_paused


@dataclass(frozen=True)
class RenderJob:
    """One picture to be drawn: its formats, what goes into its metadata, its resolution."""

    picture: Picture
    formats: tuple[Format, ...]
    facts: Mapping[str, str]
    dpi: int


#: The result of a job: its images by format, or the error's text.
RenderOutcome = dict[Format, bytes] | str


Renderer = Callable[[Picture, Sequence[Format], Mapping[str, str], int], dict[Format, bytes]]


class RenderPool:
    """Up to `size` workers, started when they are needed or by `start`.

    A single job is drawn in this process, and so are all where `size` is one or none.
    """

    def __init__(self, size: int) -> None:
        self._resources = contextlib.ExitStack()
        self._resources.enter_context(font_cache())
        self._size = size
        self.workers: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start the workers now, where there will be several jobs: each takes a while to import."""
        if self._size > 1 and not self.workers:
            self.workers = [_start_worker() for _ in range(self._size)]

    def draw(self, jobs: Sequence[RenderJob], done: Callable[[int, RenderOutcome], None]) -> None:
        """Draw `jobs`; `done` is called for each as it ends, with its place in `jobs`."""
        if len(jobs) > 1:
            self.start()
        if len(jobs) <= 1 or not self.workers:
            for number, job in enumerate(jobs):
                done(number, render_job(job))
            return
        waiting: queue.SimpleQueue[tuple[int, RenderJob]] = queue.SimpleQueue()
        # The largest first, so that none is left for the end.
        for number in sorted(range(len(jobs)), key=lambda i: -len(jobs[i].picture.panels)):
            waiting.put((number, jobs[number]))
        results: queue.SimpleQueue[tuple[int, RenderOutcome] | None] = queue.SimpleQueue()
        threads = [
            threading.Thread(target=_feed, args=(worker, waiting, results), daemon=True)
            for worker in self.workers
        ]
        for thread in threads:
            thread.start()
        ended, unfinished = 0, set(range(len(jobs)))
        while ended < len(threads):
            result = results.get()
            if result is None:
                ended += 1
                continue
            unfinished.discard(result[0])
            done(*result)
        for number in sorted(unfinished):
            done(number, "the process that was to draw it ended early")

    def close(self) -> None:
        for worker in self.workers:
            worker.kill()
            worker.communicate()
        self._resources.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def default_worker_count() -> int:
    """As many workers as this process may use processors, at most eight."""
    return min(8, len(os.sched_getaffinity(0)))


def render_job(job: RenderJob) -> RenderOutcome:
    """Draw in this process. An error becomes its text, so that the other figures are drawn."""
    try:
        with gc_paused():
            return _load_renderer()(job.picture, job.formats, job.facts, job.dpi)
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def _load_renderer() -> Renderer:
    """Import plotnine: without a display, with its warnings off."""
    os.environ["MPLBACKEND"] = "agg"
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    with without_help_texts():
        import matplotlib.pyplot  # noqa: F401  # Plotnine would, at the first picture.

        from postertui.figures.save import render_bytes

    return render_bytes


def _start_worker() -> subprocess.Popen[bytes]:
    """A worker in a process group of its own: Ctrl-C is for the parent, which then ends it.

    `-P` keeps modules of the working folder from being taken for Python's.
    """
    return subprocess.Popen(
        [
            sys.executable,
            "-P",
            "-c",
            "from postertui.figures.render_pool import run_worker; run_worker()",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        process_group=0,
    )


def _feed(
    worker: subprocess.Popen[bytes],
    waiting: queue.SimpleQueue[tuple[int, RenderJob]],
    results: queue.SimpleQueue[tuple[int, RenderOutcome] | None],
) -> None:
    assert worker.stdin is not None and worker.stdout is not None
    try:
        while True:
            try:
                number, job = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                _send(worker.stdin, job)
                results.put((number, pickle.load(worker.stdout)))
            except (OSError, EOFError, ValueError, pickle.UnpicklingError):
                # It died, or was ended and its pipes closed because the report was interrupted.
                results.put((number, "the process that drew it died"))
                return
    finally:
        results.put(None)


def _send(pipe: IO[bytes], message: Any) -> None:
    pickle.dump(message, pipe)
    pipe.flush()


def run_worker() -> None:
    """Draw the jobs that arrive on standard input until it ends: the worker's side."""
    with gc_paused(freeze=True):
        _load_renderer()  # The slow part, before the first job.
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    while True:
        try:
            job = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        outcome = render_job(job)
        try:
            _send(out, outcome)
        except BrokenPipeError:
            return
