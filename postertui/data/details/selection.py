"""Which columns of the details a variant takes."""

from __future__ import annotations

import difflib

from postertui.data.details.encoding import DetailsEncoder, fit_encoder
from postertui.data.details.info import DetailsInfo
from postertui.data.details.table import Details, Ids
from postertui.study import Variant
from postertui.system.errors import UserError


def chosen_columns(variant: Variant, info: DetailsInfo) -> tuple[str, ...]:
    """The columns that the variant names, or all.

    Raises
    ------
    UserError
        For a column that the details lack; where the variant names none and one gives a label away.
    """
    for name in variant.details:
        if name not in info.columns:
            close = difflib.get_close_matches(name, info.columns, n=3, cutoff=0.5)
            hint = f"close: {', '.join(close)}" if close else f"there are {', '.join(info.columns)}"
            raise UserError(f"{variant.name}: the details have no column {name[:40]}; {hint}")
    if variant.details:
        return variant.details
    for name, genre in info.gives_away.items():
        others = [f'"{column}"' for column in info.columns if column not in info.gives_away]
        raise UserError(
            f"{variant.name}: the details' column {name} gives the label away ({genre}); name the "
            f"columns to take: details = [{', '.join(others)}]"
        )
    return tuple(info.columns)


def fit_variant_encoder(
    variant: Variant, details: Details, info: DetailsInfo, training: Ids
) -> DetailsEncoder:
    """The encoder of the variant's columns, without those that are the same in all of training.

    Parameters
    ----------
    training
        (n,) ids of the training posters, on which it is fitted.

    Raises
    ------
    UserError
        As `chosen_columns` and `fit_encoder`; for a constant column that the variant names; where
        no column is left.
    """
    encoder, constant = fit_encoder(details, chosen_columns(variant, info), training)
    if constant and variant.details:
        raise UserError(
            f"{variant.name}: the details' column {constant[0]} does not distinguish "
            "training posters: it is the same for all, or no category or word is that of enough of "
            "them; take it out of `details`"
        )
    if not encoder.columns:
        raise UserError(f"{variant.name}: every column of the details is the same in training")
    return encoder
