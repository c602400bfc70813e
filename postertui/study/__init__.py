"""Variants (sets of hyper-parameters) and studies (grids of runs), as validated data.

A study is a TOML file: a base, and what each variant changes about it.
"""

from postertui.study.custom import CodeFile, Source, is_custom
from postertui.study.fields import Field, check_variant, describe_fields
from postertui.study.files import builtin_studies, load_study, save_variant
from postertui.study.variants import (
    ALL_LAYERS,
    DEFAULT_RARITY,
    Augment,
    Balance,
    Constant,
    Decay,
    InputKind,
    KeepWeights,
    Loss,
    Mode,
    Optimizer,
    Plateau,
    RandomKey,
    RegularizerKind,
    Schedule,
    SharedLayers,
    Study,
    Variant,
    describe_entries,
    format_strength,
    overlapping_cohorts,
)

__all__ = [
    "ALL_LAYERS",
    "DEFAULT_RARITY",
    "Augment",
    "Balance",
    "CodeFile",
    "Constant",
    "Decay",
    "Field",
    "InputKind",
    "KeepWeights",
    "Loss",
    "Mode",
    "Optimizer",
    "Plateau",
    "RandomKey",
    "RegularizerKind",
    "Schedule",
    "SharedLayers",
    "Source",
    "Study",
    "Variant",
    "builtin_studies",
    "check_variant",
    "describe_entries",
    "describe_fields",
    "format_strength",
    "is_custom",
    "load_study",
    "overlapping_cohorts",
    "save_variant",
]
