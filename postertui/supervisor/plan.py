"""From a study to runs: which there should be, which of them are missing, and asking for those."""

from __future__ import annotations

import difflib
import fnmatch
import importlib.metadata
import importlib.util
import itertools
import os
import platform
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from postertui.data.backbones import (
    check_layers,
    check_side,
    describe_backbones,
)
from postertui.data.weight_choices import WeightChoices
from postertui.data.weights import Weights
from postertui.runs.lifecycle import State
from postertui.runs.spec import RunSpec, write_spec
from postertui.study import KeepWeights, Mode, Source, Study, Variant, overlapping_cohorts
from postertui.supervisor import classical, details, sides
from postertui.supervisor.trust import trust_own_files
from postertui.system.errors import UserError
from postertui.system.sharing import describe_os_error
from postertui.system.version import __version__

if TYPE_CHECKING:
    from postertui.data.dataset import Dataset

#: What a history may depend on beside the run's own settings.
RECORDED = ("numpy", "keras", "tensorflow", "jax")


@dataclass(frozen=True)
class TrainingPlan:
    """The runs that a study asks for, sorted by what there is of them.

    `specs` in the order in which they are to be trained. `rare` names the genres that were left
    out because they have too few positives to model. `notes` are remarks for the user. `code_files`
    are the files of the user's own functions that the runs execute, by their SHA-256.
    """

    specs: tuple[RunSpec, ...]
    missing: tuple[RunSpec, ...]
    open: tuple[RunSpec, ...]
    done: tuple[RunSpec, ...]
    ended: tuple[RunSpec, ...]
    rare: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    code_files: Mapping[str, Source] = field(default_factory=dict)

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

    `weights` that are read already are VGG16's; other networks get those of the same kind.
    `variants` are names or globs of the study's, or variants themselves; none means all.
    `genres` are names or globs; a genre that is named is kept however rare. `states` are the runs
    that there are. In the plan, `open` runs are queued, running or interrupted, and `ended` ones
    failed or cancelled. With `rotations`, the same runs are asked for again with the cohorts' roles
    moved on by one cohort each time (see `rotate_cohorts`). `announce` is called with a line where
    something takes some seconds. Raises `UserError` for a variant, genre
    or cohort that is not there.
    """
    train = tuple(study.train_cohorts if train_cohorts is None else train_cohorts)
    test = tuple(study.test_cohorts if test_cohorts is None else test_cohorts)
    validation, notes = _validation_cohorts(study, dataset, train, test, val_cohorts)
    _check_cohorts(dataset, train, test, validation)
    chosen = _chosen_variants(study, variants)
    named = any(isinstance(v, str) for v in variants)
    for usable_variants in (
        partial(sides.usable_variants, dataset=dataset),
        partial(details.usable_variants, dataset=dataset),
        classical.usable_variants,
    ):
        chosen, left_out = usable_variants(chosen, named=named)
        notes += left_out
    if epochs is not None:
        chosen = [
            msgspec.structs.replace(v, epochs=epochs) if v.model == "network" else v for v in chosen
        ]
    kept, rare = _chosen_genres(study, dataset, genres, train, all_genres)
    chosen, left_out = _with_enough_genres(chosen, kept)
    notes += left_out
    group = tuple(sorted(kept))
    count = study.rotations if rotations is None else rotations
    folds = rotate_cohorts((train, test, validation), sorted(dataset.cohorts), count)
    at_side = {v.side: dataset.at_side(v.side or dataset.side) for v in chosen}
    choices = WeightChoices.given(weights) if isinstance(weights, Weights) else weights
    choices.check_networks([v.backbone_name for v in (*study.variants.values(), *chosen)])
    details.check_details(chosen, dataset, folds)
    rates_of = lru_cache(maxsize=None)(partial(details.base_rates, dataset))
    weights_of = _backbone_weights(chosen, choices, dataset, announce)
    versions = current_versions()
    created = time.time() if now is None else now
    specs: dict[str, RunSpec] = {}
    grid = itertools.product(kept, chosen, range(study.seeds if seeds is None else seeds), folds)
    for genre, variant, seed, cohorts in grid:
        rates = rates_of(variant.with_details, genre, cohorts)
        spec = RunSpec(
            variant=variant,
            genre=genre,
            seed=seed,
            study=study.name,
            data=str(dataset.path.resolve()),
            data_fingerprint=at_side[variant.side].fingerprint,
            weights=weights_of[variant.backbone_name, variant.side],
            train_cohorts=cohorts[0],
            test_cohorts=cohorts[1],
            val_cohorts=cohorts[2],
            train_base_rate=rates[0],
            test_base_rate=rates[1],
            val_base_rate=rates[2] if cohorts[2] else None,
            mode=mode or study.mode,
            random_key=study.random_key,
            # Distinct times, so that the queue keeps the order of the study.
            created=created + len(specs) * 1e-6,
            versions=versions,
            keep_weights=keep_weights or study.keep_weights,
            details_digest=details.details_digest(dataset, variant),
            group=group if variant.shares_layers else (),
        )
        # A run of before the genre was part of its random numbers is not trained again.
        earlier = msgspec.structs.replace(spec, random_key="seed")
        if earlier.run in states:
            spec = earlier
        specs.setdefault(spec.run, spec)
    groups: dict[str, list[RunSpec]] = {"missing": [], "open": [], "done": [], "ended": []}
    for run, spec in specs.items():
        groups[_group(states.get(run))].append(spec)
    sorted_groups = {name: tuple(group) for name, group in groups.items()}
    digests = {file.sha256 for spec in specs.values() for file in spec.variant.code}
    return TrainingPlan(
        specs=tuple(specs.values()),
        rare=rare,
        notes=notes,
        code_files={d: s for d, s in study.code_files.items() if d in digests},
        **sorted_groups,
    )


def rotate_cohorts(
    roles: Sequence[tuple[int, ...]], cohorts: Sequence[int], rotations: int
) -> list[tuple[tuple[int, ...], ...]]:
    """The cohorts of each role in each rotation, the first as given.

    Each rotation moves every role on to the next of the data's `cohorts`, after the last the
    first: train 0, validate 1, test 2 becomes train 1, validate 2, test 3. Raises `UserError` for
    more rotations than there are cohorts.
    """
    if rotations > len(cohorts):
        raise UserError(
            f"{rotations} rotations of {len(cohorts)} cohorts: there are no more than cohorts "
            "(--rotations)"
        )
    place = {cohort: i for i, cohort in enumerate(cohorts)}
    return [
        tuple(
            tuple(sorted(cohorts[(place[digit] + step) % len(cohorts)] for digit in role))
            if step
            else role
            for role in roles
        )
        for step in range(rotations)
    ]


def queue(
    folder: Path, specs: Iterable[RunSpec], code_files: Mapping[str, Source] | None = None
) -> int:
    """Write the runs that are not there yet; how many. Call `ensure_supervisor` afterwards.

    `code_files` are those of the plan: the user asks for them by name, so they are trusted from
    now on. Raises `UserError` where they are not the user's own, or the folder cannot be written.
    """
    trust_own_files(folder, (code_files or {}).values())
    code = {digest: source.data for digest, source in (code_files or {}).items()}
    try:
        return sum([write_spec(folder, spec, code) for spec in specs])
    except OSError as error:
        reason = describe_os_error(error, folder, os.W_OK)
        raise UserError(f"cannot queue runs: {reason}", exit_code=1) from None


def check_trainable() -> None:
    """Raise `UserError` unless a backend to train with is installed."""
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    if os.environ.get("POSTERTUI_TRAINER"):
        return
    if importlib.util.find_spec("keras") is None or importlib.util.find_spec(backend) is None:
        raise UserError(
            f"training needs Keras and {backend}: pip install 'postertui[train]'"
            + (" or 'postertui[jax]'" if backend == "jax" else "")
        )


def current_versions() -> dict[str, str]:
    """The versions that a history may depend on, without importing any of it."""
    versions = {"postertui": __version__, "python": platform.python_version()}
    for name in RECORDED:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def _group(state: State | None) -> str:
    match state:
        case None:
            return "missing"
        case "done":
            return "done"
        case "failed" | "cancelled":
            return "ended"
        case _:
            return "open"


def _chosen_variants(study: Study, variants: Sequence[str | Variant]) -> list[Variant]:
    named = [v for v in variants if isinstance(v, str)]
    given = [v for v in variants if isinstance(v, Variant)]
    return (study.select(named) if named or not given else []) + given


def _with_enough_genres(
    variants: list[Variant], genres: Sequence[str]
) -> tuple[list[Variant], tuple[str, ...]]:
    """The variants that can be trained on `genres`, and a note for each that cannot.

    Raises `UserError` where none can.
    """
    if len(genres) > 1:
        return variants, ()
    single = [v for v in variants if v.shares_layers]
    notes = tuple(
        f"{v.name} is left out: it shares layers between genres, and only "
        f"{', '.join(genres) or 'none'} is asked for."
        for v in single
    )
    if single and len(single) == len(variants):
        raise UserError(f"{notes[0].rstrip('.')}; name two genres or more")
    return [v for v in variants if v not in single], notes


def _chosen_genres(
    study: Study,
    dataset: Dataset,
    asked: Sequence[str],
    cohorts: tuple[int, ...],
    all_genres: bool,
) -> tuple[list[str], tuple[str, ...]]:
    if asked:
        chosen: list[str] = []
        for pattern in asked:
            matching = [
                g for g in dataset.genres if fnmatch.fnmatchcase(_plain(g), _plain(pattern))
            ]
            if not matching:
                close = difflib.get_close_matches(pattern, dataset.genres, n=3, cutoff=0.5)
                hint = (
                    f"did you mean {' or '.join(close)}?"
                    if close
                    else (f"there are {', '.join(dataset.genres)}")
                )
                raise UserError(f"{dataset.path}: no genre `{pattern}`; {hint}")
            chosen.extend(matching)
        return list(dict.fromkeys(chosen)), ()
    genres = dataset.genres
    if study.genres is not None:
        for genre in study.genres:
            dataset.genre_index(genre)
        genres = study.genres
    if all_genres:
        return list(genres), ()
    rare = tuple(g for g in genres if dataset.base_rate(g, cohorts) < study.rarity)
    return [g for g in genres if g not in rare], rare


def _plain(name: str) -> str:
    return name.lower().replace("_", " ")


def _backbone_weights(
    variants: Sequence[Variant],
    weights: WeightChoices,
    dataset: Dataset,
    announce: Callable[[str], None] | None,
) -> dict[tuple[str, int], Weights]:
    """The weights of each network and side of `variants`.

    Raises `UserError` for a network or a layer that Keras has not, images that are too small, or
    weights that are not to be had.
    """
    described = [
        v
        for v in variants
        if v.backbone_name not in ("vgg16", "scratch")
        or v.train_from
        or v.trainable_layers
        or isinstance(v.backbone_rate, tuple)
    ]
    named = [(v.backbone_name, v.side or dataset.side) for v in described]
    backbones = describe_backbones(named, announce) if named else {}
    for variant, network in zip(described, named, strict=True):
        backbone = backbones[network]
        check_side(backbone, dataset.sides, variant.name)
        check_layers(backbone, variant)
    return {
        (v.backbone_name, v.side): weights.of_vgg16()
        if v.backbone_name in ("vgg16", "scratch")
        else weights.of_backbone(backbones[v.backbone_name, v.side or dataset.side], v.name)
        for v in variants
    }


def _validation_cohorts(
    study: Study,
    dataset: Dataset,
    train: tuple[int, ...],
    test: tuple[int, ...],
    requested: Sequence[int] | None,
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """The validation cohorts, and a note where the study's own cannot be used.

    Requested ones are returned as they are; the study's give way to other cohorts and to the data.
    """
    if requested is not None:
        return tuple(requested), ()
    usable = [d for d in study.val_cohorts if d not in (*train, *test) and d in dataset.cohorts]
    unusable = [d for d in study.val_cohorts if d not in usable]
    if not unusable:
        return tuple(usable), ()
    reasons = [
        f"cohort {d} is used for training or testing"
        if d in dataset.cohorts
        else f"the data has no cohort {d}"
        for d in unusable
    ]
    remaining = f"cohorts {', '.join(map(str, usable))}" if usable else "no cohort"
    return tuple(usable), (f"Validating on {remaining}: {'; '.join(reasons)}.",)


def _check_cohorts(dataset: Dataset, *groups: tuple[int, ...]) -> None:
    """Raise `UserError` for cohorts that the data lacks, or that are in more than one group."""
    options = "--train-cohorts, --test-cohorts, --val-cohorts"
    for cohort in (d for group in groups for d in group):
        if cohort not in dataset.cohorts:
            available = ", ".join(map(str, dataset.cohorts))
            raise UserError(
                f"{dataset.path}: no cohort {cohort}; there are {available} ({options})"
            )
    if overlap := overlapping_cohorts(*groups):
        digits = ", ".join(map(str, overlap))
        raise UserError(f"cohort {digits} is in more than one of {options}; take it out of one")
