"""Which runs share a compiled network."""

from __future__ import annotations

import msgspec
import pytest

from postertui.study import Variant
from postertui.training.compiled_networks import NOT_COMPILED, compiled_settings

BASE = Variant(name="base")


def test_fields_that_do_not_matter_are_there() -> None:
    assert set(Variant.__struct_fields__) > NOT_COMPILED


@pytest.mark.parametrize(
    ("field", "value", "is_shared"),
    [
        ("name", "other", True), ("strength", 1e-3, True), ("learning_rate", 0.1, True),
        ("epochs", 3, True), ("C", 2.0, True),
        ("fc1", 4, False), ("loss", "bce", False), ("dropout", 0.5, False), ("share", "fc1", False),
    ],
)  # fmt: skip
def test_runs_of_one_shape_share_it(field: str, value: object, is_shared: bool) -> None:
    other = msgspec.structs.replace(BASE, **{field: value})
    assert (compiled_settings(other) == compiled_settings(BASE)) == is_shared
