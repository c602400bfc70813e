"""What is set before a framework is imported, and undone after."""

from __future__ import annotations

import gc

import pytest

from postertui.training.environment import loading_frameworks


def test_garbage_is_collected_again_once_frameworks_are_loaded() -> None:
    with loading_frameworks():
        assert not gc.isenabled()
    assert gc.isenabled()
    assert gc.get_freeze_count() > 0
    gc.unfreeze()


def test_garbage_is_collected_again_where_loading_fails() -> None:
    with pytest.raises(ImportError), loading_frameworks():
        raise ImportError("no such framework")
    assert gc.isenabled()
