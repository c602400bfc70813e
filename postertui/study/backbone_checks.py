"""Which backbone a variant has and which of its layers train: fields that contradict others."""

from __future__ import annotations

import re

from postertui.study.variants import ALL_LAYERS, DEFAULTS, Variant


def check_backbone(variant: Variant) -> None:
    """Raise `ValueError` as `field: what is wrong` for fields that contradict each other."""
    if not variant.has_custom_network and not re.fullmatch(r"[a-z0-9]{1,40}", variant.network):
        raise ValueError(
            f'network: "{variant.network}" is not the name of a network of keras.applications in '
            "lower case, such as vgg16 or resnet50, or scratch, or FILE.py:FUNCTION"
        )
    if variant.balance == "mirror-positives" and variant.augment != "none":
        raise ValueError(
            f"augment: {variant.augment} shows mirror images of its own; balance mirror-positives "
            'goes with augment = "none"'
        )
    if not re.fullmatch(r"[a-z0-9]{1,40}", variant.backbone):
        raise ValueError(f'backbone: "{variant.backbone}" is not the name of a network, or none')
    if variant.backbone != DEFAULTS.backbone and not variant.has_custom_network:
        raise ValueError("backbone: of a network of your own; else `network` says which")
    chosen = [
        name
        for name, is_set in (
            ("frozen_layers", variant.frozen_layers != ALL_LAYERS),
            ("trainable_layers", variant.trainable_layers > 0),
            ("train_from", variant.train_from != ""),
        )
        if is_set
    ]
    if len(chosen) > 1:
        raise ValueError(f"{chosen[-1]}: contradicts {chosen[0]}; give one of them")
    if chosen == ["frozen_layers"] and variant.backbone_name not in ("vgg16", "scratch"):
        raise ValueError("frozen_layers: counts VGG16's layers; use trainable_layers or train_from")
    if chosen and chosen != ["frozen_layers"] and variant.backbone_name == "scratch":
        raise ValueError(f"{chosen[0]}: scratch has no backbone")
