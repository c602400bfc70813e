"""Which variants can have layers that genres share."""

from __future__ import annotations

from postertui.study.custom import PARAMETERS, is_custom
from postertui.study.variants import Variant


def check_shared_layers(variant: Variant) -> None:
    """Raise `ValueError` as `field: what is wrong` where genres cannot have layers in common."""
    if not variant.shares_layers:
        return
    if variant.network == "scratch":
        raise ValueError("share: scratch has no fc1 and fc2 on top of a backbone")
    if variant.model != "network":
        raise ValueError(f"share: contradicts model; {variant.model} has no layers")
    if variant.inputs != "poster":
        raise ValueError("share: contradicts inputs; genres share layers on posters alone")
    for field in PARAMETERS:
        if is_custom(getattr(variant, field)):
            raise ValueError(f"share: contradicts a {field} of your own, which is for one genre")
    if variant.balance != "none":
        raise ValueError(
            "share: contradicts balance; genres that are trained together see the same posters"
        )
