"""Runs by state, replaced one by one, are those of looking at all runs."""

from __future__ import annotations

from collections import Counter
from typing import get_args

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from postertui.dashboard.state.feed import RunUpdates
from postertui.dashboard.state.view_model import ViewModel
from postertui.runs.lifecycle import State
from tests.support.dashboard_runs import MadeRuns, views

NAMES = ("a", "b", "c", "d")
STATES = get_args(State)

changes = st.dictionaries(
    st.sampled_from(NAMES),
    st.none() | st.tuples(st.sampled_from(STATES), st.sampled_from((*STATES, "held", "newer"))),
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(readings=st.lists(changes, max_size=6))
def test_states_are_those_of_all_runs(
    made: MadeRuns, readings: list[dict[str, tuple[str, str] | None]]
) -> None:
    template = views(made)[0]
    model = ViewModel()
    for reading in readings:
        changed = {
            name: msgspec.structs.replace(template, name=name, state=state[0], standing=state[1])
            for name, state in reading.items()
            if state is not None
        }
        model.update(RunUpdates(changed=changed, removed=reading.keys() - changed.keys()))
        runs = model.runs.values()
        assert Counter(model.states.counts) == Counter(run.standing for run in runs)
        assert model.states.open_runs == {
            run.name: run for run in runs if run.state in ("running", "queued", "interrupted")
        }
        assert set(model.failed_runs) == {run for run in runs if run.state == "failed"}
        assert model.states.count_running() == sum(run.state == "running" for run in runs)
