"""A setting that would do nothing is refused, and what a variant inherits is left alone."""

from __future__ import annotations

from typing import Any

import pytest

from postertui.study import builtin_studies, check_variant, load_study


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ({"kernel_regularizer": "l2"}, "kernel_strength: needed here"),
        ({"kernel_strength": 0.1}, "kernel_strength: does nothing"),
        ({"kernel_regularizer": "none", "kernel_strength": 0.1}, "kernel_strength: does nothing"),
        ({"momentum": 0.5}, 'momentum: is of sgd, and the optimizer here is "adam"'),
        ({"optimizer": "rmsprop", "momentum": 0.5}, "momentum: is of sgd"),
        ({"optimizer": "sgd", "weight_decay": 0.1}, "weight_decay: is of adamw"),
    ],
)
def test_a_setting_without_effect_is_refused(values: dict[str, Any], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        check_variant("x", values)


def test_what_counts_is_taken_and_what_is_inherited_may_lie_idle() -> None:
    base = check_variant("base", {"optimizer": "sgd", "momentum": 0.5})
    assert check_variant("x", {"optimizer": "adam"}, base).momentum == 0.5
    base = check_variant("base", {"kernel_regularizer": "l2", "kernel_strength": 0.1})
    assert check_variant("x", {"kernel_regularizer": "l1"}, base).kernel_strength == 0.1
    assert check_variant("x", {"kernel_regularizer": "none"}, base)
    assert check_variant("x", {"optimizer": "adamw", "weight_decay": 0.0})


@pytest.mark.parametrize("name", builtin_studies())
def test_built_in_studies_are_consistent(name: str) -> None:
    assert load_study(name).variants
