"""Variants (sets of hyper-parameters) and studies (grids of runs), as validated data.

A study is a TOML file: a base, and what each variant changes about it.
"""

from postertui.study.custom import CodeFile, CodeSource, is_custom
from postertui.study.field import Field
from postertui.study.files import builtin_studies, load_study
from postertui.study.labels import describe_entries, format_strength
from postertui.study.saving import save_variant
from postertui.study.schedules import Constant, Decay, Plateau, Schedule
from postertui.study.studies import (
    DEFAULT_RARITY,
    KeepWeights,
    Mode,
    RandomKey,
    Study,
    overlapping_cohorts,
)
from postertui.study.variant_checks import check_variant
from postertui.study.variants import (
    ALL_LAYERS,
    Augment,
    Balance,
    InputKind,
    Loss,
    Optimizer,
    RegularizerKind,
    SharedLayers,
    Variant,
    variant_fields,
)

__all__ = [
    "ALL_LAYERS",
    "DEFAULT_RARITY",
    "Augment",
    "Balance",
    "CodeFile",
    "CodeSource",
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
    "Study",
    "Variant",
    "builtin_studies",
    "check_variant",
    "describe_entries",
    "format_strength",
    "is_custom",
    "load_study",
    "overlapping_cohorts",
    "save_variant",
    "variant_fields",
]
