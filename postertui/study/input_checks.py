"""Fields of a variant about its inputs that contradict others."""

from __future__ import annotations

from typing import Any

import msgspec

from postertui.study.variants import DEFAULTS, Variant


def settle_inputs(variant: Variant, changed: dict[str, Any]) -> Variant:
    """The variant with its fields about details at their defaults where it takes posters alone.

    Parameters
    ----------
    changed
        The fields that the variant gives itself.

    Raises
    ------
    ValueError
        As `field: what is wrong`.
    """
    if variant.inputs == "poster":
        for name in ("details", "details_units"):
            if name in changed and changed[name] != getattr(DEFAULTS, name):
                raise ValueError(
                    f'{name}: this variant takes the poster alone; set inputs = "both" or "details"'
                )
        return msgspec.structs.replace(
            variant, details=DEFAULTS.details, details_units=DEFAULTS.details_units
        )
    if variant.network == "scratch":
        raise ValueError("inputs: scratch takes posters alone; use a network of keras.applications")
    if variant.has_custom_network:
        raise ValueError("inputs: a network of your own takes posters alone")
    if variant.inputs == "details":
        if variant.needs_mirrored:
            name = "augment" if variant.augment != "none" else "balance"
            raise ValueError(f"{name}: details have no mirror image")
        if variant.train_from or variant.trainable_layers:
            name = "train_from" if variant.train_from else "trainable_layers"
            raise ValueError(f"{name}: details alone pass through no backbone")
    return variant
