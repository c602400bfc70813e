"""From a study to runs: which there should be, which of them are missing, and asking for those."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from postertui.data.weight_choices import WeightChoices
from postertui.data.weights import Weights
from postertui.runs.lifecycle import State
from postertui.runs.spec import RunSpec, write_spec
from postertui.study import CodeSource, KeepWeights, Mode, Study, Variant
from postertui.supervisor import details
from postertui.supervisor.backbone_weights import backbone_weights
from postertui.supervisor.chosen_genres import choose_genres
from postertui.supervisor.chosen_variants import choose_variants, with_enough_genres
from postertui.supervisor.cohort_roles import Roles, choose_roles, rotate_cohorts
from postertui.supervisor.installed import current_versions
from postertui.supervisor.trust import trust_own_files
from postertui.system.errors import UserError
from postertui.system.sharing import describe_os_error

if TYPE_CHECKING:
    from postertui.data.dataset import Dataset


@dataclass(frozen=True)
class TrainingPlan:
    """The runs that a study asks for, sorted by what there is of them.

    Attributes
    ----------
    specs
        All of them, in the order in which they are to be trained.
    missing, open, done, ended
        Those that are not there; that are queued, running or interrupted; that are done; that
        failed or were cancelled.
    rare
        The genres that were left out because they have too few positives to model.
    notes
        Remarks for the user.
    code_files
        The files of the user's own functions that the runs execute, by their SHA-256.
    """

    specs: tuple[RunSpec, ...]
    missing: tuple[RunSpec, ...]
    open: tuple[RunSpec, ...]
    done: tuple[RunSpec, ...]
    ended: tuple[RunSpec, ...]
    rare: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    code_files: Mapping[str, CodeSource] = field(default_factory=dict)

    @property
    def runs(self) -> list[str]:
        """The names of all runs asked for."""
        return [spec.run for spec in self.specs]


def plan(
    study: Study,
    dataset: Dataset,
    weights: WeightChoices | Weights,
    states: Mapping[str, State],
    *,
    variants: Sequence[str | Variant] = (),
    genres: Sequence[str] = (),
    seeds: int | None = None,
    epochs: int | None = None,
    train_cohorts: Sequence[int] | None = None,
    test_cohorts: Sequence[int] | None = None,
    val_cohorts: Sequence[int] | None = None,
    keep_weights: KeepWeights | None = None,
    rotations: int | None = None,
    mode: Mode | None = None,
    all_genres: bool = False,
    now: float | None = None,
    announce: Callable[[str], None] | None = None,
) -> TrainingPlan:
    """The runs of `study`, narrowed and changed by the other arguments; nothing is written.

    Parameters
    ----------
    study, dataset
        What is trained, and on what.
    weights
        The choices for each network; weights that are read already are VGG16's, and other
        networks get those of the same kind.
    states
        The runs that there are.
    variants
        Names or globs of the study's, or variants themselves; none means all.
    genres
        Names or globs; none means the study's. A genre that is named is kept however rare.
    seeds, epochs, train_cohorts, test_cohorts, val_cohorts, keep_weights, mode
        In place of the study's; None leaves those.
    rotations
        How many times the same runs are asked for, each time with the cohorts' roles moved on by
        one cohort (see `rotate_cohorts`).
    all_genres
        Whether to keep genres that are too rare to model.
    now
        When the runs are asked for, in seconds since 1970.
    announce
        Called with a line where something takes some seconds.

    Raises
    ------
    UserError
        For a variant, genre or cohort that is not there, and for weights that cannot be had.
    """
    roles, role_notes = choose_roles(study, dataset, train_cohorts, test_cohorts, val_cohorts)
    chosen, variant_notes = choose_variants(study, dataset, variants, epochs)
    kept, rare = choose_genres(study, dataset, genres, roles[0], all_genres=all_genres)
    chosen, genre_notes = with_enough_genres(chosen, kept)
    count = study.rotations if rotations is None else rotations
    folds = rotate_cohorts(roles, sorted(dataset.cohorts), count)
    fingerprints = {v.side: dataset.at_side(v.side or dataset.side).fingerprint for v in chosen}
    choices = WeightChoices.given(weights) if isinstance(weights, Weights) else weights
    # Of the whole study, so that a choice for a network that is left out now is no mistake.
    choices.check_networks([v.backbone_name for v in (*study.variants.values(), *chosen)])
    details.check_details(chosen, dataset, folds)
    make_spec = _spec_maker(
        study,
        dataset,
        fingerprints,
        backbone_weights(chosen, choices, dataset, announce),
        group=tuple(sorted(kept)),
        mode=mode or study.mode,
        keep_weights=keep_weights or study.keep_weights,
    )
    created = time.time() if now is None else now
    specs: dict[str, RunSpec] = {}
    grid = itertools.product(kept, chosen, range(study.seeds if seeds is None else seeds), folds)
    for genre, variant, seed, cohorts in grid:
        # Distinct times, so that the queue keeps the order of the study.
        spec = make_spec(genre, variant, seed, cohorts, created + len(specs) * 1e-6)
        # A run of before the genre was part of its random numbers is not trained again.
        earlier = msgspec.structs.replace(spec, random_key="seed")
        if earlier.run in states:
            spec = earlier
        specs.setdefault(spec.run, spec)
    digests = {file.sha256 for spec in specs.values() for file in spec.variant.code}
    return TrainingPlan(
        specs=tuple(specs.values()),
        rare=rare,
        notes=(*role_notes, *variant_notes, *genre_notes),
        code_files={d: s for d, s in study.code_files.items() if d in digests},
        **_by_state(specs.values(), states),
    )


def queue(
    folder: Path, specs: Iterable[RunSpec], code_files: Mapping[str, CodeSource] | None = None
) -> int:
    """Write the runs that are not there yet; how many. Call `ensure_supervisor` afterwards.

    Parameters
    ----------
    folder
        The runs folder.
    specs
        The runs.
    code_files
        Those of the plan: the user asks for them by name, so they are trusted from now on.

    Raises
    ------
    UserError
        Where `code_files` are not the user's own, or the folder cannot be written.
    """
    trust_own_files(folder, (code_files or {}).values())
    code = {digest: source.data for digest, source in (code_files or {}).items()}
    try:
        return sum(write_spec(folder, spec, code) for spec in specs)
    except OSError as error:
        reason = describe_os_error(error, folder, os.W_OK)
        raise UserError(f"cannot queue runs: {reason}", exit_code=1) from None


def _spec_maker(
    study: Study,
    dataset: Dataset,
    fingerprints: Mapping[int, str],
    weights: Mapping[tuple[str, int], Weights],
    *,
    group: tuple[str, ...],
    mode: Mode,
    keep_weights: KeepWeights,
) -> Callable[[str, Variant, int, Roles, float], RunSpec]:
    """A function from genre, variant, seed, cohorts and time of asking to the run's spec.

    `fingerprints` of the data are by side, `weights` by network and side.
    """
    base_rates = lru_cache(maxsize=None)(partial(details.base_rates, dataset))
    versions = current_versions()

    def make_spec(
        genre: str, variant: Variant, seed: int, cohorts: Roles, created: float
    ) -> RunSpec:
        rates = base_rates(variant.with_details, genre, cohorts)
        return RunSpec(
            variant=variant,
            genre=genre,
            seed=seed,
            study=study.name,
            data=str(dataset.path.resolve()),
            data_fingerprint=fingerprints[variant.side],
            weights=weights[variant.backbone_name, variant.side],
            train_cohorts=cohorts[0],
            test_cohorts=cohorts[1],
            val_cohorts=cohorts[2],
            train_base_rate=rates[0],
            test_base_rate=rates[1],
            val_base_rate=rates[2] if cohorts[2] else None,
            mode=mode,
            random_key=study.random_key,
            created=created,
            versions=versions,
            keep_weights=keep_weights,
            details_digest=details.details_digest(dataset, variant),
            group=group if variant.shares_layers else (),
        )

    return make_spec


def _by_state(
    specs: Iterable[RunSpec], states: Mapping[str, State]
) -> dict[str, tuple[RunSpec, ...]]:
    """The specs as the fields of a `TrainingPlan`."""
    groups: dict[str, list[RunSpec]] = {"missing": [], "open": [], "done": [], "ended": []}
    for spec in specs:
        match states.get(spec.run):
            case None:
                groups["missing"].append(spec)
            case "done":
                groups["done"].append(spec)
            case "failed" | "cancelled":
                groups["ended"].append(spec)
            case _:
                groups["open"].append(spec)
    return {name: tuple(group) for name, group in groups.items()}
