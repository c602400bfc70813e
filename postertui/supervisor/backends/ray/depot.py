"""What the driver keeps on the head's disk: bundles of data and runs' newest checkpoints."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

from postertui.runs.spec import RunSpec, is_run_name
from postertui.supervisor.backends.ray import data
from postertui.supervisor.backends.ray.protocol import File, Saved
from postertui.supervisor.backends.ray.seed import KEPT
from postertui.system.errors import UserError


class Depot:
    """`home` is the head's cache, `study` names the folder of its checkpoints."""

    def __init__(self, home: Path, study: str) -> None:
        self._home = home
        self._folder = home / "checkpoints" / study
        self._drafts: dict[str, data.Draft] = {}
        self._wanted: dict[str, list[asyncio.Queue[str]]] = {}
        self._drop_old()

    # Checkpoints

    def checkpoints(self, run: str) -> list[tuple[int, Path]]:
        """The run's checkpoints by epoch, the newest last."""
        if not is_run_name(run):
            return []
        found = self._folder.glob(f"{run}.*")
        return sorted((int(p.suffix[1:]), p) for p in found if p.suffix[1:].isdigit())

    def keep(self, message: Saved, content: bytes) -> None:
        """Keep a checkpoint instead of those before; where there is no room, none is kept."""
        before = self.checkpoints(message.run)
        if not is_run_name(message.run):
            return
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            draft = self._folder / f".{message.run}.new"
            draft.write_bytes(content)
            draft.replace(self._folder / f"{message.run}.{message.epoch}")
            for epoch, path in before:
                if epoch != message.epoch:
                    path.unlink(missing_ok=True)

    def _drop_old(self) -> None:
        """Forget the checkpoints of runs that stopped and with which nobody went on."""
        with contextlib.suppress(OSError):
            for path in self._folder.iterdir():
                if time.time() - path.stat().st_mtime > KEPT:
                    path.unlink()

    def drop(self, run: str) -> None:
        """Nobody will go on with this run."""
        for _, path in self.checkpoints(run):
            path.unlink(missing_ok=True)

    # Bundles

    async def bundle(
        self, name: str, spec: RunSpec | None, want: Callable[[], bool]
    ) -> AsyncIterator[tuple[File, bytes]]:
        """The messages that carry a bundle, which is fetched first where it is not here.

        `want` asks the client for it; False where the client is away. Raises `UserError`.
        """
        folder = data.bundle_folder(self._home, name)
        if not folder.is_dir():
            if spec is None:
                raise UserError(f"no run here needs the data {name}")
            if data.is_shared(spec):
                self._copy(name, spec)
            else:
                await self._fetch(name, want)
        for message, piece in data.pieces(name, data.stored_files(folder)):
            yield message, piece

    def store(self, message: File, piece: bytes) -> None:
        """Take a piece that the client sends."""
        try:
            draft = self._drafts.get(message.bundle)
            if draft is None:
                data.bundle_folder(self._home, message.bundle)
                draft = self._drafts[message.bundle] = data.Draft(self._home, message.bundle)
            if draft.add(message, piece):
                del self._drafts[message.bundle]
                self.answer(message.bundle, "")
        except (OSError, UserError) as error:
            self.answer(message.bundle, f"the head cannot keep the data: {error}")

    def answer(self, name: str, reason: str) -> None:
        """The bundle is here, or will not come for this reason."""
        if reason and (draft := self._drafts.pop(name, None)):
            draft.discard()
        for queue in self._wanted.pop(name, []):
            queue.put_nowait(reason)

    def give_up(self, reason: str) -> None:
        """Nothing more will come from the client."""
        for name in list(self._wanted):
            self.answer(name, reason)

    def _copy(self, name: str, spec: RunSpec) -> None:
        """Make the bundle from a folder that the head shares with the client."""
        draft = data.Draft(self._home, name)
        try:
            for message, piece in data.pieces(name, data.bundle_files(spec)):
                draft.add(message, piece)
        finally:
            draft.discard()

    async def _fetch(self, name: str, want: Callable[[], bool]) -> None:
        queue: asyncio.Queue[str] = asyncio.Queue()
        waiting = self._wanted.setdefault(name, [])
        waiting.append(queue)
        if len(waiting) == 1 and not want():
            self.answer(name, "the machine that has the run's data is away")
        if reason := await queue.get():
            raise UserError(reason)


def read_checkpoint(found: list[tuple[int, Path]]) -> Iterator[tuple[int, bytes]]:
    """Epoch and content of the newest that can be read."""
    for epoch, path in reversed(found):
        with contextlib.suppress(OSError):
            yield epoch, path.read_bytes()
            return
