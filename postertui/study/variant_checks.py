"""A variant from what a study or a form changes about its base, checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from postertui.study.backbone_checks import check_backbone
from postertui.study.custom import PARAMETERS, CodeFile, code_of
from postertui.study.effect_checks import check_effects
from postertui.study.input_checks import settle_inputs
from postertui.study.model_checks import settle_model
from postertui.study.shared_layer_checks import check_shared_layers
from postertui.study.variants import Variant, variant_fields

#: A variant's name: it becomes part of folder names and is matched by globs.
VARIANT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")


def check_variant(
    name: str,
    values: dict[str, Any],
    base: Variant | None = None,
    code: Mapping[str, CodeFile] | None = None,
) -> Variant:
    """A variant from what it changes about its base.

    Parameters
    ----------
    name
        1 to 60 letters, digits, dots, dashes or underscores.
    values
        The fields that differ, as TOML has them. Without `family` among them, the family is `name`.
    base
        None is the base of 2017.
    code
        The files of the user's functions that `values` names, by field.

    Raises
    ------
    ValueError
        As `field: what is wrong`.
    """
    if not VARIANT_NAME.fullmatch(name):
        raise ValueError(
            f'name: "{name}" is not 1 to 60 letters, digits, dots, dashes or underscores'
        )
    fields = {f.name: f for f in variant_fields()}
    changed: dict[str, Any] = {"name": name, "family": name}
    for key, value in values.items():
        if key not in fields:
            raise ValueError(f"{key}: unknown key (allowed: {', '.join(fields)})")
        try:
            changed[key] = fields[key].check(value)
        except ValueError as error:
            raise ValueError(f"{key}: {error}") from None
    parent = Variant(name=name) if base is None else base
    if changed.get("regularizer", parent.regularizer) == "none":
        # λ has no meaning without a regularizer; a fixed value keeps equal variants equal.
        changed["strength"] = 0.0
    elif parent.regularizer == "none" and "strength" not in changed:
        raise ValueError("strength: needed here, for the base has no regularizer")
    variant = msgspec.structs.replace(parent, **changed)
    check_backbone(variant)
    check_effects(variant, values, parent)
    check_shared_layers(variant)
    custom = {field: getattr(variant, field) for field in PARAMETERS}
    variant = msgspec.structs.replace(variant, code=code_of(custom, code or {}, parent.code))
    return settle_model(settle_inputs(variant, changed), changed)
