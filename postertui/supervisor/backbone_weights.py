"""The pretrained weights that variants start from, by network and side of the images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from postertui.data.backbones import check_layers, check_side, describe_backbones
from postertui.data.weight_choices import WeightChoices
from postertui.data.weights import Weights
from postertui.study import Variant

if TYPE_CHECKING:
    from postertui.data.dataset import Dataset


def backbone_weights(
    variants: Sequence[Variant],
    weights: WeightChoices,
    dataset: Dataset,
    announce: Callable[[str], None] | None,
) -> dict[tuple[str, int], Weights]:
    """The weights of each network and side of `variants`.

    Parameters
    ----------
    weights
        The user's choices.
    dataset
        Has the sides of the images.
    announce
        Is given a line before Keras is asked, which takes seconds; None for no lines.

    Raises
    ------
    UserError
        For a network or a layer that Keras lacks, images that are too small, or weights that cannot
        be obtained.
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
