"""What to train: `run.json`, and the run's name that follows from it."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from postertui.data.weights import Weights
from postertui.runs import layout
from postertui.runs.bounds import FORMAT_VERSION
from postertui.runs.validation import check_spec, is_newer_version
from postertui.study import KeepWeights, Mode, RandomKey, Variant
from postertui.system.atomic_files import DRAFT_PREFIX
from postertui.system.errors import UserError
from postertui.system.os_errors import is_passing
from postertui.system.regular_files import MAX_JSON_BYTES, read_regular
from postertui.system.sharing import adopt_mode
from postertui.system.text import describe_error, slugify

#: How `data_fingerprint` begins for a run that was imported, or that a program of its own writes.
IMPORTED_DATA = "imported-"
EXTERNAL_DATA = "script-"


class NewerSpecError(UserError):
    """A `run.json` that a newer version of postertui wrote."""


class UnreadSpecError(UserError):
    """A `run.json` that the system failed to read, which says nothing about it.

    Parameters
    ----------
    path
        The file.
    cause
        What went wrong.
    """

    def __init__(self, path: str, cause: OSError) -> None:
        super().__init__(f"{path}: {cause.strerror}")
        self.cause = cause


class RunSpec(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a job needs to train one run (the content of `run.json`).

    Parameters
    ----------
    variant, genre, seed, study
        What is trained, and the name of the study that asked for it.
    data
        The absolute path of the data folder.
    data_fingerprint
        Its content's digest.
    train_cohorts, test_cohorts, val_cohorts
        Cohorts of the data, by number.
    train_base_rate, test_base_rate, val_base_rate
        The share of positives; unknown for a history that was imported without its data.
    random_key
        `seed` for runs from before it was recorded, whose random numbers depend on the seed alone.
    created
        When the run was asked for, in seconds since 1970; 0 where that is unknown.
    versions
        Of the packages that it was asked for with; like `created` they do not identify it.
    label
        The `Regularizer` that an imported history came with (2017 wrote `L1=0e`), where that is not
        the variant's own.
    details_digest
        That of the data folder's details, where the variant needs them.
    group
        The genres that are trained together with this one, itself included, sorted; empty for a run
        that is trained by itself.
    v
        The format of the file.
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
    val_cohorts: tuple[int, ...] = ()
    train_base_rate: float | None
    test_base_rate: float | None
    val_base_rate: float | None = None
    mode: Mode = "sound"
    random_key: RandomKey = "seed"
    created: float = 0.0
    versions: dict[str, str] = {}
    label: str | None = None
    keep_weights: KeepWeights = "small"
    details_digest: str = ""
    group: tuple[str, ...] = ()
    v: int = FORMAT_VERSION

    @property
    def is_external(self) -> bool:
        """Whether a program of its own trains the run, which no supervisor queues or resumes."""
        return self.data_fingerprint.startswith(EXTERNAL_DATA)

    @property
    def all_cohorts(self) -> tuple[int, ...]:
        """Training, validation and test cohorts."""
        return self.train_cohorts + self.val_cohorts + self.test_cohorts

    @property
    def monitors_validation(self) -> bool:
        """Whether the validation cohort decides anything in training."""
        return bool(self.val_cohorts) and self.mode == "sound" and self.variant.monitors_loss

    @property
    def run(self) -> str:
        """The run's folder name: a readable slug and a digest of what identifies it."""
        genre, variant = slugify(self.genre)[:18], slugify(self.variant.name)[:22]
        return f"{genre}--{variant}--s{self.seed}"[:54] + f"--{self.digest}"

    @property
    def entropy(self) -> tuple[int, ...]:
        """What initial weights and shuffles are drawn from (NumPy's `SeedSequence`).

        With `random_key="seed"` all genres of a seed share them, and genres of a group always do.
        """
        if self.random_key == "seed":
            return (self.seed,)
        genres = hashlib.sha256("\n".join(self.group or (self.genre,)).encode()).digest()[:8]
        return (self.seed, int.from_bytes(genres, "big"))

    @property
    def digest(self) -> str:
        """Eight hex digits over everything that changes what is trained, and nothing else."""
        return _short_digest(self._identity)

    @property
    def unit(self) -> str:
        """Equal for runs that are trained together; the name of a run that is trained by itself."""
        if not self.group:
            return self.run
        shared = {name: value for name, value in self._identity.items() if name != "genre"}
        return f"{slugify(self.variant.name)[:22]}--s{self.seed}--{_short_digest(shared)}"

    @property
    def members(self) -> tuple[RunSpec, ...]:
        """The runs that are trained together, in the order of their genres; itself without a group.

        Base rates are those of its own genre throughout.
        """
        if not self.group:
            return (self,)
        return tuple(msgspec.structs.replace(self, genre=genre) for genre in self.group)

    @property
    def _identity(self) -> dict[str, Any]:
        cohorts = [self.train_cohorts, self.test_cohorts]
        if self.monitors_validation:
            cohorts.append(self.val_cohorts)
        identity: dict[str, Any] = {
            "variant": self.variant.identity,
            "genre": self.genre,
            "seed": self.seed,
            "data": self.data_fingerprint,
            "weights": self.weights.digest,
            "cohorts": cohorts,
            "mode": self.mode,
        }
        if self.random_key != "seed":
            identity["random_key"] = self.random_key
        if self.details_digest:
            identity["details"] = self.details_digest
        if self.group:
            identity["group"] = self.group
        return identity


def _short_digest(identity: dict[str, Any]) -> str:
    canonical = msgspec.json.encode(identity, order="sorted")
    return hashlib.sha256(canonical).hexdigest()[:8]


def write_spec(folder: Path, spec: RunSpec, code: Mapping[str, bytes] | None = None) -> bool:
    """Make the run's folder with its `run.json`.

    The folder is filled under a temporary name and moved into place, so that a run is either there
    whole or not at all.

    Parameters
    ----------
    folder
        The runs folder; made where it is missing.
    code
        The files of `spec.variant.code`, by their SHA-256 in hex digits.

    Returns
    -------
    bool
        False where the run is there already.

    Raises
    ------
    OSError
        Where it cannot be written.
    """
    target = folder / spec.run
    if target.exists():
        return False
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = Path(tempfile.mkdtemp(prefix=DRAFT_PREFIX, dir=folder))
    try:
        adopt_mode(draft)
        contents = {
            layout.code_file(file.name): (code or {})[file.sha256] for file in spec.variant.code
        }
        contents[layout.SPEC] = msgspec.json.format(msgspec.json.encode(spec)) + b"\n"
        for name, content in contents.items():
            path = draft / name
            path.touch(mode=0o600)
            adopt_mode(path)
            path.write_bytes(content)
        draft.rename(target)
    except OSError:
        shutil.rmtree(draft, ignore_errors=True)
        if (target / layout.SPEC).exists():
            return False
        raise
    return True


def read_spec(run_folder: Path | str, parse: Callable[[bytes], RunSpec] | None = None) -> RunSpec:
    """The run's spec.

    Parameters
    ----------
    parse
        Does what `parse_spec` does in another way.

    Raises
    ------
    NewerSpecError
        Where the file says that a newer version of postertui wrote it.
    UnreadSpecError
        Where the system failed.
    UserError
        Naming the file, where it is missing or damaged.
    """
    path = f"{os.fspath(run_folder)}/{layout.SPEC}"
    try:
        return (parse or parse_spec)(read_regular(path, MAX_JSON_BYTES))
    except OSError as error:
        if is_passing(error):
            raise UnreadSpecError(path, error) from None
        raise UserError(f"{path}: {error.strerror}") from None
    except NewerSpecError as error:
        raise NewerSpecError(f"{path}: {error}") from None
    except ValueError as error:
        raise UserError(f"{path}: not a run's description: {error}") from None


def parse_spec(data: bytes) -> RunSpec:
    """The spec that the content of a `run.json` describes, within the bounds of `validation`.

    Raises `ValueError`, or `NewerSpecError` where a newer version of postertui wrote it and this
    one cannot read it.
    """
    try:
        spec = msgspec.json.decode(data, type=RunSpec)
        check_spec(spec)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        if _is_newer(data):
            reason = f"made by a newer version of postertui: {describe_error(error)}"
            raise NewerSpecError(reason) from None
        raise ValueError(describe_error(error)) from None
    if spec.v > FORMAT_VERSION:
        raise NewerSpecError(f"made by a newer version of postertui (format {spec.v})")
    return spec


class _Origin(msgspec.Struct):
    """What says which version wrote a `run.json`."""

    v: int = FORMAT_VERSION
    versions: dict[str, str] = {}


def _is_newer(data: bytes) -> bool:
    try:
        origin = msgspec.json.decode(data, type=_Origin)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return False
    return origin.v > FORMAT_VERSION or is_newer_version(origin.versions.get("postertui", ""))
