"""Which variants of a study can be trained with this data and these packages."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from postertui.study import Study, Variant
from postertui.supervisor import classical, details, sides
from postertui.system.errors import UserError

if TYPE_CHECKING:
    from postertui.data.dataset import Dataset


def choose_variants(
    study: Study,
    dataset: Dataset,
    variants: Sequence[str | Variant] = (),
    epochs: int | None = None,
) -> tuple[list[Variant], tuple[str, ...]]:
    """The variants to train, and a note for each kind that is left out.

    Parameters
    ----------
    study
        Has the variants.
    dataset
        What is trained on; variants may need sides or details that it lacks.
    variants
        Names or globs of the study's, or variants themselves; none means all.
    epochs
        In place of the networks' own.

    Raises
    ------
    UserError
        For a name that the study lacks, for a variant that cannot be trained although it is
        named, and where none is left.
    """
    named = [v for v in variants if isinstance(v, str)]
    given = [v for v in variants if isinstance(v, Variant)]
    chosen = (study.select(named) if named or not given else []) + given
    notes: tuple[str, ...] = ()
    for usable_variants in (
        partial(sides.usable_variants, dataset=dataset),
        partial(details.usable_variants, dataset=dataset),
        classical.usable_variants,
    ):
        chosen, left_out = usable_variants(chosen, named=bool(named))
        notes += left_out
    if epochs is not None:
        chosen = [
            msgspec.structs.replace(v, epochs=epochs) if v.model == "network" else v for v in chosen
        ]
    return chosen, notes


def with_enough_genres(
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
