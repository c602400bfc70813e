"""Specs of runs that are not there to be trained on anything real."""

from __future__ import annotations

from typing import Any

from postertui.data.weights import Weights
from postertui.runs.spec import RunSpec
from postertui.study import Variant


def made_spec(variant: Variant | None = None, genre: str = "Comedy", **settings: Any) -> RunSpec:
    """The spec of a run of `variant`, or of base, in which `settings` are all that matters."""
    usual: dict[str, Any] = {
        "seed": 0,
        "study": "made-up",
        "data": "/nowhere",
        "data_fingerprint": "0" * 32,
        "weights": Weights("random", "0" * 32),
        "train_base_rate": 0.2,
        "test_base_rate": 0.21,
    }
    return RunSpec(variant=variant or Variant(name="base"), genre=genre, **usual | settings)
