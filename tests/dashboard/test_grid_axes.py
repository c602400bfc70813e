"""The x ranges of a grid whose runs go on are those of looking at all runs again."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from postertui.dashboard.charts.grid_axes import GridAxes, most_common_epoch
from postertui.dashboard.state.arrangement import arrange
from postertui.dashboard.state.run_view import RunView
from postertui.dashboard.state.view_options import ViewOptions
from tests.support.dashboard_runs import MadeRuns, views

NAMES = tuple("abcdefghijkl")
CELLS = st.tuples(st.sampled_from(["Comedy", "Drama"]), st.sampled_from(["base", "bce"]))

progress = st.tuples(st.sampled_from(["running", "queued", "done"]), st.sampled_from([0, 3, 40]))
readings = st.lists(st.dictionaries(st.sampled_from(NAMES), progress, min_size=6), max_size=4)


def replaced(run: RunView, **fields: Any) -> RunView:
    return msgspec.structs.replace(run, **fields)


@pytest.mark.parametrize("mode", ["facet", "overlay"])
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cells=st.dictionaries(st.sampled_from(NAMES), CELLS, min_size=6), readings=readings)
def test_ranges_follow_runs_that_go_on(
    made: MadeRuns,
    mode: Literal["facet", "overlay"],
    cells: dict[str, tuple[str, str]],
    readings: list[dict[str, tuple[str, int]]],
) -> None:
    template = replaced(views(made)[0], state="queued", epoch=0, epochs=100)
    options = ViewOptions(mode=mode)
    runs = {
        name: replaced(template, name=name, genre=genre, variant=variant)
        for name, (genre, variant) in cells.items()
    }
    arrangement = arrange(runs.values(), options)
    axes = GridAxes()
    axes.fit_epochs(arrangement, runs, options)
    for reading in readings:
        changed = {
            name: replaced(runs[name], state=state, epoch=epoch)
            for name, (state, epoch) in reading.items()
            if name in runs
        }
        runs |= changed
        before = {key: axes.epochs_of(key) for key in arrangement.members}
        differs = axes.update_epochs(arrangement, changed, options)
        refitted = GridAxes()
        refitted.fit_epochs(arrangement, runs, options)
        after = {key: axes.epochs_of(key) for key in arrangement.members}
        assert after == {key: refitted.epochs_of(key) for key in arrangement.members}
        assert axes.epochs == refitted.epochs
        assert differs == (before != after)


def test_most_common_epoch_is_the_later_of_two_and_not_none() -> None:
    assert most_common_epoch({0: 9, 10: 2, 20: 2, 30: 1, 40: 0}) == 20
    assert most_common_epoch({0: 9, 40: 0}) == 10
