"""A run's folder: what to train, its name, its lock, and the state that follows from its files.

runs/<run>/run.json      what to train; written once, before the first event
runs/<run>/events.jsonl  what happened (see `postertui.events`)
runs/<run>/checkpoint    the newest epoch's weights and optimiser state
runs/<run>/log.txt       what the job printed
runs/<run>/lock          flock held by the job for as long as it works on the run
runs/<run>/cancel        somebody wants the run to end (see `postertui.supervisor`)
runs/<run>/paused        somebody wants the run to wait (see `postertui.supervisor`)
runs/<run>/priority      a whole number; higher goes earlier, 0 where the file is missing
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any, Literal, Self

import msgspec

from postertui.errors import UserError
from postertui.study import Mode, Variant

_RUN_NAME = re.compile(r"[a-z0-9_-][a-z0-9._-]{0,63}", re.ASCII)

#: How long to try for a lock that a reader's probe may hold for some microseconds.
LOCK_PATIENCE = 0.1

State = Literal["queued", "running", "done", "failed", "cancelled", "interrupted"]


class Weights(msgspec.Struct, frozen=True):
    """Which weights the frozen network has: `kind` for people, `digest` for identity."""

    kind: Literal["imagenet", "random", "file"]
    digest: str
    path: str | None = None


class RunSpec(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a job needs to know to train one run (the content of `run.json`).

    `data` is the absolute path of the data folder and `data_fingerprint` its content's digest.
    Base rates are unknown for a history that was imported without its data, and `label` is then
    the `Regularizer` it came with (2017 wrote `L1=0e`), where that is not the variant's own.
    `versions` and `created` say how and when the run was asked for; they do not identify it.
    """

    variant: Variant
    genre: str
    seed: int
    study: str
    data: str
    data_fingerprint: str
    weights: Weights
    train_cohorts: tuple[int, ...] = (0,)
    test_cohorts: tuple[int, ...] = (2,)
    train_base_rate: float | None
    test_base_rate: float | None
    mode: Mode = "sound"
    created: float = 0.0
    versions: dict[str, str] = {}
    label: str | None = None

    @property
    def run(self) -> str:
        """The run's folder name: a readable slug and a digest of what identifies it."""
        genre, variant = slugify(self.genre)[:18], slugify(self.variant.name)[:22]
        return f"{genre}--{variant}--s{self.seed}"[:54] + f"--{self.digest}"

    @property
    def digest(self) -> str:
        """Eight hex digits over everything that changes what is trained, and nothing else."""
        identity: dict[str, Any] = {
            "variant": {
                k: v
                for k, v in msgspec.to_builtins(self.variant).items()
                if k not in ("name", "family")
            },
            "genre": self.genre,
            "seed": self.seed,
            "data": self.data_fingerprint,
            "weights": self.weights.digest,
            "cohorts": [self.train_cohorts, self.test_cohorts],
            "mode": self.mode,
        }
        canonical = msgspec.json.encode(identity, order="sorted")
        return hashlib.sha256(canonical).hexdigest()[:8]


def slugify(text: str) -> str:
    """`text` as `[a-z0-9._-]+`, never empty and never starting with a dot."""
    return re.sub(r"[^a-z0-9._-]+", "-", text.lower()).strip(".-") or "x"


def run_folder(folder: Path, run: str) -> Path:
    """The folder of the run called `run`, which is data and never a path.

    Raises `UserError` for a name that no run can have: anything but `[a-z0-9._-]{1,64}`, or one
    that starts with a dot.
    """
    if not is_run_name(run):
        raise UserError(f"{run[:80]!r} is not a run's name; `postertui runs` lists them")
    return folder / run


def is_run_name(text: str) -> bool:
    """Whether a run can be called so."""
    return _RUN_NAME.fullmatch(text) is not None


def list_runs(folder: str | Path) -> set[str]:
    """The names of the folders that are runs; a link would lead out of `folder`.

    Raises `OSError` where `folder` cannot be read.
    """
    with os.scandir(folder) as entries:
        return {e.name for e in entries if e.name[0] != "." and e.is_dir(follow_symlinks=False)}


def write_spec(folder: Path, spec: RunSpec) -> bool:
    """Make the run's folder with its `run.json`; False where the run is there already.

    The folder is filled under a temporary name and moved into place, so that a run is either
    there whole or not at all.
    """
    target = folder / spec.run
    if target.exists():
        return False
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = Path(tempfile.mkdtemp(prefix=".new-", dir=folder))
    try:
        path = draft / "run.json"
        path.touch(mode=0o600)
        path.write_bytes(msgspec.json.format(msgspec.json.encode(spec)) + b"\n")
        draft.rename(target)
    except OSError:
        shutil.rmtree(draft, ignore_errors=True)
        if (target / "run.json").exists():
            return False
        raise
    return True


def read_spec(run_folder: Path) -> RunSpec:
    """The run's spec. Raises `UserError` naming the file where it is missing or damaged."""
    path = run_folder / "run.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=RunSpec)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a run's description: {error}") from None


class FileLock:
    """A flock, held until `release` or the end of the process, however it ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd: int | None = None

    def acquire(self, patience: float = LOCK_PATIENCE) -> bool:
        """Take the lock if nobody holds it. Raises `OSError` where it cannot be made."""
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    os.close(fd)
                    return False
                time.sleep(0.002)
            except BaseException:
                os.close(fd)
                raise
        self._fd = fd
        _held.add(fd)
        return True

    def release(self) -> None:
        if self._fd is not None:
            _held.discard(self._fd)
            os.close(self._fd)
            self._fd = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.release()


class RunLock(FileLock):
    """The flock on `runs/<run>/lock`. Whoever holds it is the run's one writer."""

    def __init__(self, run_folder: Path) -> None:
        super().__init__(run_folder / "lock")


_held: set[int] = set()


def _close_held() -> None:
    """A forked helper would keep a dead job's lock and so make the job look alive."""
    for fd in _held:
        os.close(fd)
    _held.clear()


os.register_at_fork(after_in_child=_close_held)


def is_locked(run_folder: Path) -> bool:
    """Whether some process works on the run right now."""
    return is_held(run_folder / "lock")


def is_held(lock: Path) -> bool:
    """Whether some process holds the flock on `lock`."""
    try:
        fd = os.open(lock, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def hold_folder(folder: Path) -> int | None:
    """The descriptor of a folder locked for as long as this process lives; None where another
    has it. For drafts that a later process may clear away once their maker is gone.
    """
    try:
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        return None
    return fd


def derive_state(last_start_or_end: str | None, end_status: str | None, locked: bool) -> State:
    """A run's state from its newest `start`, `end` or `requeue` event and its lock."""
    if last_start_or_end in (None, "requeue"):
        return "queued"
    if last_start_or_end == "start":
        return "running" if locked else "interrupted"
    match end_status:
        case "done" | "failed" | "cancelled" | "interrupted":
            return end_status
        case _:
            return "failed"
