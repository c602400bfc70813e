"""Fields that count only beside another: where one would do nothing, it is refused."""

from __future__ import annotations

from collections.abc import Collection

from postertui.study.custom import PARAMETERS, is_custom
from postertui.study.variants import ALL_LAYERS, Variant

#: What only one optimizer has.
_OF_OPTIMIZER = {"momentum": "sgd", "weight_decay": "adamw"}


def check_effects(variant: Variant, changed: Collection[str], parent: Variant) -> None:
    """Check that each field that a variant changes has an effect.

    What a variant has from its parent may lie idle: a base with momentum can have a variant of
    another optimizer.

    Parameters
    ----------
    changed
        The names of the fields that the variant gives itself.

    Raises
    ------
    ValueError
        As `field: what is wrong`.
    """
    for field in PARAMETERS if variant.model != "network" else ():
        if field in changed and is_custom(getattr(variant, field)):
            raise ValueError(f"{field}: model {variant.model} takes no function of your own")
    for field, optimizer in _OF_OPTIMIZER.items():
        if field in changed and variant.optimizer != optimizer:
            raise ValueError(
                f'{field}: is of {optimizer}, and the optimizer here is "{variant.optimizer}"'
            )
    if (
        "backbone_rate" in changed
        and variant.backbone_rate != 1
        and not _trains_pretrained(variant)
    ):
        raise ValueError(
            "backbone_rate: no pretrained layer trains here; name the first with train_from, or "
            "how many with trainable_layers"
        )
    if variant.kernel_regularizer == "none":
        if "kernel_strength" in changed and variant.kernel_strength > 0:
            raise ValueError("kernel_strength: does nothing without a kernel_regularizer")
    elif parent.kernel_regularizer == "none" and "kernel_strength" not in changed:
        raise ValueError("kernel_strength: needed here, for the base has no kernel regularizer")


def _trains_pretrained(variant: Variant) -> bool:
    if variant.network == "scratch":
        return False
    return bool(
        variant.trainable_layers
        or variant.train_from
        or (variant.frozen_layers < ALL_LAYERS and variant.network == "vgg16")
        or variant.has_custom_network
    )
