"""`Study`: a grid of runs, its variants, genres, cohorts and seeds."""

from __future__ import annotations

import difflib
import fnmatch
from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Literal

import msgspec

from postertui.study.custom import CodeSource
from postertui.study.field import Described, Field, declared_fields
from postertui.study.variants import Variant
from postertui.system.errors import UserError

Mode = Literal["sound", "published"]
#: What a run's random numbers are derived from. Runs from before the genre was part of it: `seed`.
RandomKey = Literal["seed", "seed-genre"]
#: Which runs keep their trained weights: `small` those of up to 16 MB.
KeepWeights = Literal["all", "small", "none"]
#: Who beside its owner may use the runs folder.
RunsAccess = Literal["group"]

#: How many GPUs a run may take on a cluster, a share of one or several.
MIN_GPUS, MAX_GPUS = 0.01, 8.0

#: Below this share of positives a batch of 256 is often without any, and a model soon dead.
DEFAULT_RARITY = 0.03


def overlapping_cohorts(*groups: Iterable[int]) -> list[int]:
    """The cohorts in more than one of the groups, which must be disjoint."""
    counts = Counter(cohort for group in groups for cohort in set(group))
    return sorted(cohort for cohort, count in counts.items() if count > 1)


class Study(msgspec.Struct, frozen=True, kw_only=True):
    """A grid of runs: every variant of every genre with every seed.

    Attributes
    ----------
    variants
        By name, in the file's order, `base` first.
    genres
        None for all genres of the data.
    val_cohorts
        The validation cohorts; those that the data lacks are left out.
    seeds
        How many: 0, 1, 2 and so on.
    rotations
        How often each run is trained with the cohorts' roles moved on by one; 1 as given only.
    random_key
        What new runs derive their random numbers from. With `seed-genre`, genres are independent
        of each other; with `seed`, all genres of a seed share initial weights and shuffles.
    rarity
        Genres with a smaller base rate in the training cohorts are left out unless named.
    gpu
        How many GPUs a run takes on a cluster, below 1 a share of one; None measures it.
    runs_access
        With `group`, the group of the runs folder may read and write what is made in it; with
        None, only its owner.
    keep_weights
        Which runs keep their trained weights.
    source
        The file it was read from.
    code_files
        The files of the user's own functions, by their SHA-256.
    notes
        What its file should say otherwise, a line each.
    """

    name: str
    base: Variant
    variants: dict[str, Variant]
    genres: tuple[str, ...] | None = None
    train_cohorts: tuple[int, ...] = (0,)
    test_cohorts: tuple[int, ...] = (2,)
    val_cohorts: tuple[int, ...] = ()
    seeds: Annotated[int, Described(minimum=1)] = 1
    rotations: Annotated[int, Described(minimum=1, maximum=10)] = 1
    random_key: Annotated[RandomKey, Described()] = "seed-genre"
    mode: Annotated[Mode, Described()] = "sound"
    rarity: Annotated[float, Described(minimum=0, maximum=1, exclusive_maximum=True)] = (
        DEFAULT_RARITY
    )
    gpu: Annotated[float | None, Described(minimum=MIN_GPUS, maximum=MAX_GPUS)] = None
    runs_access: Annotated[RunsAccess | None, Described(form='"group"; leave it out')] = None
    keep_weights: Annotated[KeepWeights, Described()] = "small"
    source: str = ""
    code_files: dict[str, CodeSource] = {}
    notes: tuple[str, ...] = ()

    def select(self, globs: Iterable[str]) -> list[Variant]:
        """The variants whose names match any of `globs`, in the study's order; all for none.

        Raises `UserError` for a name (exit code 2) or a glob (3) that matches nothing.
        """
        patterns = list(globs)
        if not patterns:
            return list(self.variants.values())
        chosen: set[str] = set()
        for pattern in patterns:
            matches = [n for n in self.variants if fnmatch.fnmatchcase(n.lower(), pattern.lower())]
            if not matches:
                raise self._no_match(pattern)
            chosen.update(matches)
        return [v for n, v in self.variants.items() if n in chosen]

    def _no_match(self, pattern: str) -> UserError:
        is_glob = any(c in pattern for c in "*?[")
        close = difflib.get_close_matches(pattern.lower(), list(self.variants), n=3, cutoff=0.5)
        hint = f"close: {', '.join(close)}" if close else f"there are: {', '.join(self.variants)}"
        return UserError(
            f"study {self.name}: no variant {'matches' if is_glob else 'is called'} "
            f'"{pattern}"; {hint}',
            exit_code=3 if is_glob else 2,
        )


def study_fields() -> tuple[Field, ...]:
    """The fields of a study that are one plain value, in the class's order."""
    return declared_fields(Study)
