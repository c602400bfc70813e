"""What the form that starts runs offers, and what it says would be started."""

from __future__ import annotations

from pathlib import Path

import pytest

from postertui.dashboard.launching.choices import queue_slots
from postertui.dashboard.launching.draft import (
    LaunchDraft,
    LaunchNumbers,
    check_numbers,
    find_studies,
    usual_study,
    usual_weights,
    what_differs,
    whole_number,
)
from postertui.dashboard.launching.preview import LaunchPreview, preview_launch, preview_lines
from postertui.data.dataset import Dataset
from postertui.data.weights import resolve_weights
from postertui.runs.store import Store
from postertui.study import load_study
from postertui.supervisor import requests
from postertui.supervisor.durations import UNKNOWN_OVERHEAD
from postertui.supervisor.folder import Status
from postertui.system.errors import UserError

MILESTONE = load_study("milestone4")


def test_numbers_are_checked_as_typed() -> None:
    assert check_numbers("", " 3 ", "2", MILESTONE) == LaunchNumbers(MILESTONE.seeds, 3, 2)
    for text in ("0", "-1", "1.5", "x", "65", "9" * 5000, "٣"):
        with pytest.raises(ValueError, match="at a time: a whole number from 1 to 64"):
            whole_number(text, 64, what="at a time")


def test_what_a_variant_changes_in_words() -> None:
    assert what_differs(MILESTONE.variants["l2-1e-4"], MILESTONE.base) == (
        "regularizer l2, strength 0.0001"
    )
    assert what_differs(MILESTONE.base, MILESTONE.base) == "the base variant"


def test_studies_are_the_built_in_ones_and_the_files_here(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('name = "mine"\n')
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    studies = find_studies(tmp_path, "milestone4")
    assert list(studies) == ["milestone4", "demo", "ideas", "mine.toml"]
    with pytest.raises(UserError, match="unknown key"):
        find_studies(tmp_path, str(tmp_path / "pyproject.toml"))


def specs(launch_data: Path, variants: tuple[str, ...] = ("base",)) -> LaunchPreview:
    study = MILESTONE
    chosen = tuple(study.variants[name] for name in variants)
    draft = LaunchDraft(study, chosen, ("Comedy", "Drama"), LaunchNumbers(2, epochs=4))
    return preview_launch(draft, Dataset.open(launch_data), resolve_weights("random"), {}, 2)


def test_the_form_starts_with_what_the_newest_run_had(launch_data: Path, tmp_path: Path) -> None:
    from postertui.supervisor import plan as launch

    launch.queue(tmp_path / "runs", specs(launch_data).starting)
    store = Store(tmp_path / "runs")
    store.refresh()
    studies = find_studies(tmp_path, "demo")
    assert usual_study(store.runs.values(), studies, "demo") == "milestone4"
    assert usual_weights(store.runs.values()) == "random"
    assert (usual_study([], studies, "demo"), usual_weights([])) == ("demo", "imagenet")


def words(found: LaunchPreview) -> str:
    return "\n".join("".join(text for text, _ in line) for line in preview_lines(found))


def test_the_preview_counts_what_is_there_and_how_long_the_rest_takes(
    launch_data: Path, tmp_path: Path
) -> None:
    from postertui.supervisor import plan as launch
    from tests.support.dashboard_runs import MadeRuns

    study = MILESTONE
    base = study.variants["base"]
    dataset, weights = Dataset.open(launch_data), resolve_weights("random")
    draft = LaunchDraft(study, (base,), ("Comedy", "Drama"), LaunchNumbers(1, epochs=4))
    new = preview_launch(draft, dataset, weights, {}, 2)
    assert "2 to start of 2 runs" in words(new)
    assert "how long: not known before" in words(new)

    made_runs = MadeRuns(tmp_path / "runs")
    launch.queue(made_runs.folder, new.starting)
    done, failed = (spec.run for spec in new.starting)
    made_runs.event(done, "start", 1.0, device="cpu", from_epoch=1)
    for epoch in range(1, 5):
        made_runs.epoch(done, epoch)  # 1.4 seconds each
    made_runs.end(done, "done")
    made_runs.event(failed, "start", 1.0, device="cpu", from_epoch=1)
    made_runs.end(failed, "failed", "killed")
    store = Store(made_runs.folder)
    store.refresh()

    again = LaunchDraft(study, (base,), ("Comedy", "Drama"), LaunchNumbers(1, epochs=4), again=True)
    unfinished = preview_launch(again, dataset, weights, store.runs, 2)
    assert [spec.run for spec in unfinished.starting] == [failed]
    assert "1 to start of 2 runs  1 done  1 to train again" in words(unfinished)
    kept = preview_launch(draft, dataset, weights, store.runs, 2)
    assert "0 to start" in words(kept) and "1 failed or cancelled" in words(kept)
    more = LaunchDraft(study, (base,), ("Comedy", "Drama"), LaunchNumbers(3, epochs=4, jobs=4))
    preview = preview_launch(more, dataset, weights, store.runs, 2)
    assert len(preview.starting) == 4
    # Each of the four jobs starts for one run, of four epochs of 1.4 seconds.
    assert preview.seconds == pytest.approx(4 * 1.4 + UNKNOWN_OVERHEAD)
    assert "about 5.8s by past runs, 4 at a time" in words(preview)


def test_the_form_offers_as_many_jobs_as_the_queue_trains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = tmp_path / "runs"
    assert queue_slots(runs) is None
    monkeypatch.setattr(requests, "status", lambda *_: Status(running=True, slots=5))
    assert queue_slots(runs) == 5
