"""What the driver stores on the head's disk: bundles of data and runs' newest checkpoints."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

from postertui.runs import layout
from postertui.runs.run_names import is_run_name
from postertui.runs.spec import RunSpec
from postertui.supervisor.backends.ray import bundles
from postertui.supervisor.backends.ray.file_messages import FilePiece
from postertui.supervisor.backends.ray.node_folder import KEPT_SECONDS
from postertui.supervisor.backends.ray.run_messages import CheckpointData, ResultFile
from postertui.system.atomic_files import write_atomic
from postertui.system.errors import UserError


class HeadStorage:
    """Checkpoints, results and bundles of one driver.

    Parameters
    ----------
    home
        The head's cache.
    study
        The name of its folders of checkpoints and results.
    """

    def __init__(self, home: Path, study: str) -> None:
        self._home = home
        self._folder = home / "checkpoints" / study
        self._results = home / "results" / study
        self._drafts: dict[str, bundles.BundleDraft] = {}
        self._requests: dict[str, list[asyncio.Queue[str]]] = {}
        self._drop_expired()

    # Checkpoints

    def checkpoints(self, run: str) -> list[tuple[int, Path]]:
        """The run's checkpoints by epoch, the newest last."""
        if not is_run_name(run):
            return []
        paths = self._folder.glob(f"{run}.*")
        return sorted((int(p.suffix[1:]), p) for p in paths if p.suffix[1:].isdigit())

    def keep_checkpoint(self, message: CheckpointData, content: bytes) -> None:
        """Replace the run's checkpoint; without room on the disk, the earlier one stays."""
        earlier = self.checkpoints(message.run)
        if not is_run_name(message.run):
            return
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_atomic(self._folder / f"{message.run}.{message.epoch}", content)
            for epoch, path in earlier:
                if epoch != message.epoch:
                    path.unlink(missing_ok=True)

    def _drop_expired(self) -> None:
        """Remove the checkpoints of runs that were not continued for long."""
        with contextlib.suppress(OSError):
            for path in self._folder.iterdir():
                if time.time() - path.stat().st_mtime > KEPT_SECONDS:
                    path.unlink()
        with contextlib.suppress(OSError):
            for path in self._results.iterdir():
                if time.time() - path.stat().st_mtime > KEPT_SECONDS:
                    shutil.rmtree(path, ignore_errors=True)

    def drop_run(self, run: str) -> None:
        """Remove checkpoints and results of a run that is closed."""
        for _, path in self.checkpoints(run):
            path.unlink(missing_ok=True)
        if is_run_name(run):
            shutil.rmtree(self._results / run, ignore_errors=True)

    # Results

    def keep_result(self, message: ResultFile, content: bytes) -> None:
        """Keep a result until the client has the run; without room on the disk it is not kept."""
        if is_run_name(message.run) and message.name in layout.RESULTS:
            with contextlib.suppress(OSError):
                folder = self._results / message.run
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                write_atomic(folder / message.name, content)

    def results(self, run: str) -> Iterator[tuple[str, bytes]]:
        """The run's results by name."""
        if is_run_name(run):
            for name in layout.RESULTS:
                with contextlib.suppress(OSError):
                    yield name, (self._results / run / name).read_bytes()

    # Bundles

    async def bundle(
        self, name: str, spec: RunSpec | None, request: Callable[[], bool]
    ) -> AsyncIterator[tuple[FilePiece, bytes]]:
        """The messages that carry a bundle, which is fetched first where it is missing.

        `request` asks the client for it and returns False where that is disconnected. Raises
        `UserError` where the bundle cannot be had.
        """
        folder = bundles.bundle_folder(self._home, name)
        if not folder.is_dir():
            if spec is None:
                raise UserError(f"no run here needs the data {name}")
            if bundles.sees_run_data(spec):
                self._copy(name, spec)
            else:
                await self._fetch(name, request)
        for message, piece in bundles.pieces(name, bundles.stored_files(folder)):
            yield message, piece

    def store_piece(self, message: FilePiece, piece: bytes) -> None:
        """Write a piece that the client sends."""
        try:
            draft = self._drafts.get(message.bundle)
            if draft is None:
                bundles.bundle_folder(self._home, message.bundle)
                draft = bundles.BundleDraft(self._home, message.bundle)
                self._drafts[message.bundle] = draft
            if draft.add(message, piece):
                del self._drafts[message.bundle]
                self.finish_request(message.bundle, "")
        except (OSError, UserError) as error:
            self.finish_request(message.bundle, f"the head cannot keep the data: {error}")

    def finish_request(self, name: str, reason: str) -> None:
        """The bundle is complete, or for `reason` will not be."""
        if reason and (draft := self._drafts.pop(name, None)):
            draft.discard()
        for answer in self._requests.pop(name, []):
            answer.put_nowait(reason)

    def fail_requests(self, reason: str) -> None:
        """Fail all requests for bundles, for this reason."""
        for name in list(self._requests):
            self.finish_request(name, reason)

    def _copy(self, name: str, spec: RunSpec) -> None:
        """Make the bundle from a folder that the head shares with the client."""
        draft = bundles.BundleDraft(self._home, name)
        try:
            for message, piece in bundles.pieces(name, bundles.bundle_files(spec)):
                draft.add(message, piece)
        finally:
            draft.discard()

    async def _fetch(self, name: str, request: Callable[[], bool]) -> None:
        answer: asyncio.Queue[str] = asyncio.Queue()
        waiting = self._requests.setdefault(name, [])
        waiting.append(answer)
        if len(waiting) == 1 and not request():
            self.finish_request(name, "the machine that has the run's data is disconnected")
        if reason := await answer.get():
            raise UserError(reason)


def read_checkpoint(checkpoints: list[tuple[int, Path]]) -> Iterator[tuple[int, bytes]]:
    """Epoch and content of the newest checkpoint that can be read; nothing where there is none."""
    for epoch, path in reversed(checkpoints):
        with contextlib.suppress(OSError):
            yield epoch, path.read_bytes()
            return
