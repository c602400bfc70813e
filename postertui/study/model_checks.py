"""Fields of a variant that only networks have, or only classical models."""

from __future__ import annotations

from typing import Any

import msgspec

from postertui.study.variants import ALL_LAYERS, DEFAULTS, Variant

_CLASSICAL = ("class_weight", "C", "trees", "depth", "shrinkage")

#: Which models have which of the fields.
_USED_BY: dict[str, tuple[str, ...]] = {
    "class_weight": ("logistic", "svc", "forest", "boosting"),
    "C": ("logistic", "svc"),
    "trees": ("forest", "boosting"),
    "depth": ("forest", "boosting"),
    "shrinkage": ("boosting",),
}

#: Fields of networks, with their values in a variant of a classical model.
_OF_NETWORKS: dict[str, Any] = {
    "regularizer": "none",
    "strength": 0.0,
    "epochs": 1,
    "early_stopping": 0,
    "restore_best": False,
    "dropout": 0.0,
    "kernel_regularizer": "none",
    "kernel_strength": 0.0,
}


def settle_model(variant: Variant, changed: dict[str, Any]) -> Variant:
    """The variant with the fields that its model lacks at fixed values: equal variants are equal.

    Parameters
    ----------
    changed
        The fields that the variant gives itself.

    Raises
    ------
    ValueError
        As `field: what is wrong`.
    """
    fixed = {
        name: getattr(DEFAULTS, name) for name in _CLASSICAL if variant.model not in _USED_BY[name]
    }
    if variant.model != "network":
        fixed |= _OF_NETWORKS
    for name, value in fixed.items():
        if name in changed and changed[name] != value:
            what = "network" if variant.model == "network" else f"model {variant.model}"
            raise ValueError(f"{name}: a {what} has none")
    if variant.model != "network":
        _check_frozen(variant)
    return msgspec.structs.replace(variant, **fixed)


def _check_frozen(variant: Variant) -> None:
    """Raise `ValueError` where a classical model were to train layers or see mirrored posters."""
    if variant.network == "scratch":
        raise ValueError(f"network: model {variant.model} takes features of a frozen backbone")
    for name, is_set in (
        ("frozen_layers", variant.frozen_layers != ALL_LAYERS),
        ("trainable_layers", variant.trainable_layers > 0),
        ("train_from", variant.train_from != ""),
    ):
        if is_set:
            raise ValueError(f"{name}: model {variant.model} trains no layers of the backbone")
    if variant.needs_mirrored:
        name = "augment" if variant.augment != "none" else "balance"
        raise ValueError(f"{name}: model {variant.model} is trained without mirrored posters")
