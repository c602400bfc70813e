"""Variants that need the details of posters, checked before anything is queued."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from postertui.study import Variant
from postertui.supervisor.cohort_roles import Roles
from postertui.system.errors import UserError

if TYPE_CHECKING:
    from postertui.data.dataset import Dataset


def usable_variants(
    variants: Sequence[Variant], dataset: Dataset, *, named: bool
) -> tuple[list[Variant], tuple[str, ...]]:
    """The variants that the data has the details for, and a note on those left out.

    Raises `UserError` where one is left out although it is `named`, or none is left.
    """
    if dataset.details_info is not None:
        return list(variants), ()
    usable = [variant for variant in variants if not variant.needs_details]
    without = [variant.name for variant in variants if variant.needs_details]
    if without and (named or not usable):
        raise UserError(
            f"{without[0]}: takes details, and {dataset.path} has none; "
            "`data build --details FILE` adds them"
        )
    note = f"Left out, for the data has no details: {', '.join(without)}."
    return usable, (note,) if without else ()


def check_details(variants: Iterable[Variant], dataset: Dataset, folds: Sequence[Roles]) -> None:
    """Raise `UserError` where details cannot be encoded, or a cohort has no poster with any."""
    from postertui.data.chosen_posters import ChosenPosters
    from postertui.data.details.selection import fit_variant_encoder

    checked = set()
    for variant in variants:
        if not variant.needs_details:
            continue
        info = dataset.details_info
        assert info is not None
        posters = ChosenPosters(dataset, with_details=variant.with_details)
        for roles in folds:
            for name, cohorts in zip(("training", "test", "validation"), roles, strict=True):
                if cohorts and not len(posters.ids(cohorts)):
                    raise UserError(
                        f"{variant.name}: no poster in the {name} cohorts has details; take others"
                    )
            key = (variant.inputs, variant.details, roles[0])
            if variant.inputs != "poster" and key not in checked:
                fit_variant_encoder(variant, dataset.details(), info, posters.ids(roles[0]))
                checked.add(key)


def base_rates(
    dataset: Dataset,
    with_details: bool,
    genre: str,
    roles: Roles,
) -> tuple[float, ...]:
    """The genre's share of each role's posters, of those with details where asked for."""
    from postertui.data.chosen_posters import ChosenPosters

    posters = ChosenPosters(dataset, with_details=with_details)
    return tuple(posters.base_rate(genre, cohorts) for cohorts in roles)


def details_digest(dataset: Dataset, variant: Variant) -> str:
    """The digest of the details that the variant needs; empty where it needs none."""
    info = dataset.details_info
    return info.digest if info is not None and variant.needs_details else ""
