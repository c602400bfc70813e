"""The names of 2017: from (family, Regularizer, FC1, FC2) to a variant, and back.

The published table identifies a variant by its family and three settings. `variant_name` gives the
name that `--variant` takes for it, `variant_from_2017` its hyper-parameters.
"""

from __future__ import annotations

import math
import re

from postertui.study import Constant, Decay, Plateau, RegularizerKind, Schedule, Variant
from postertui.system.text import slugify

#: Family to the stem of its variants' names, and its default Regularizer.
_STEMS: dict[str, tuple[str, str]] = {
    "base": ("base", "L1=1e-5"),
    "BCE loss": ("bce", "L1=1e-5"),
    "BCE loss No Reg": ("bce-no-reg", "NoReg"),
    "LR decay": ("lr-decay", "L1=1e-5"),
    "Reduce LR on Plateau": ("reduce-lr", "L1=1e-5"),
    "100 epochs Reduce LR on Plateau": ("reduce-lr-100", "L1=1e-5"),
    "batch64": ("batch-64", "L1=1e-5"),
    "batch128": ("batch-128", "L1=1e-5"),
    "scratch": ("scratch", "L1=1e-5"),
    "VGG w/16 frozen layers": ("frozen-16", "L1=1e-5"),
    "VGG w/17 frozen layers": ("frozen-17", "L1=1e-5"),
}

#: Families that say which regularizer a variant has.
REGULARIZER_FAMILIES = ("regularizer", "regularizer L1", "regularizer L2")
_LABEL = re.compile(r"L([12])=(.+)")


def variant_name(family: str, regularizer: str, fc1: int, fc2: int) -> str:
    """The variant's own name: `base`, `fc-256x64`, `l2-1e-4`, `lr-decay-256x64`.

    Parameters
    ----------
    family
        The published table's column `variant`. One that the study did not have gives its name in
        lower case.
    regularizer, fc1, fc2
        Its columns `Regularizer`, `FC1` and `FC2`; what differs from the family's is added.
    """
    if family in REGULARIZER_FAMILIES:
        stem, default = slugify(_regularizer_name(regularizer)), regularizer
    else:
        stem, default = _STEMS.get(family) or (slugify(family), "L1=1e-5")
    sizes = f"{fc1}x{fc2}"
    name = stem
    if sizes != "256x256":
        name = f"fc-{sizes}" if family == "base" else f"{stem}-{sizes}"
    if regularizer != default:
        name = f"{name}-{slugify(_regularizer_name(regularizer))}"
    return name


def variant_from_2017(
    family: str,
    regularizer: str,
    fc1: int,
    fc2: int,
    *,
    epochs: int,
    name: str | None = None,
    batch_size: int | None = None,
) -> Variant:
    """The hyper-parameters behind a row of the published table, as far as they follow from it.

    Parameters
    ----------
    family
        Its column `variant`. One that is none of 2017's has the settings of the base variant.
    regularizer
        Its column `Regularizer`; for one that is none of 2017's nothing is regularized, and only
        the label remains.
    fc1, fc2
        Units of the two dense layers.
    epochs
        How many the run has.
    name
        The variant's own name, instead of the one that follows.
    batch_size
        Posters a batch, where the family does not say.
    """
    kind, strength = parse_regularizer(regularizer)
    schedule: Schedule = Constant()
    learning_rate = 1e-3
    if family == "LR decay":
        schedule, learning_rate = Decay(), 0.1
    elif family in ("Reduce LR on Plateau", "100 epochs Reduce LR on Plateau"):
        schedule = Plateau()
    frozen = re.fullmatch(r"VGG w/(\d\d?) frozen layers", family)
    batch = re.fullmatch(r"batch([1-9]\d{0,5})", family)
    return Variant(
        name=name or variant_name(family, regularizer, fc1, fc2),
        family=family,
        network="scratch" if family == "scratch" else "vgg16",
        frozen_layers=min(int(frozen[1]), 19) if frozen else 19,
        fc1=fc1,
        fc2=fc2,
        regularizer=kind,
        strength=strength,
        loss="bce" if family.startswith("BCE loss") else "fscore",
        learning_rate=learning_rate,
        schedule=schedule,
        batch_size=batch_size or (int(batch[1]) if batch else 256),
        epochs=epochs,
    )


def parse_regularizer(label: str) -> tuple[RegularizerKind, float]:
    """Kind and λ of a label of the column `Regularizer`.

    Parameters
    ----------
    label
        Such as `L1=1e-5`, `NoReg`, or 2017's broken `L1=0e`.

    Returns
    -------
    tuple of str and float
        `("none", 0.0)` for a label that is none of these.
    """
    match = _LABEL.fullmatch(label)
    if not match:
        return "none", 0.0
    try:
        strength = float(match[2].removesuffix("e"))
    except ValueError:
        return "none", 0.0
    if not math.isfinite(strength):
        return "none", 0.0
    return ("l1" if match[1] == "1" else "l2"), strength


def _regularizer_name(label: str) -> str:
    """`L2=1e-4` as `l2-1e-4`, `NoReg` as `no-reg`, `L1=0e` and `L1=0` as `l1-0`."""
    if label == "NoReg":
        return "no-reg"
    kind, strength = parse_regularizer(label)
    if kind != "none" and strength == 0:
        return f"{kind}-0"
    return label.replace("=", "-")
