"""Power loss: whatever of the last moments reached the disk, the history comes out the same."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from postertui.supervisor import requests
from postertui.training.job.checkpoints import is_due
from tests.support.supervisor import (
    assert_as_if_undisturbed,
    assert_recorded_once,
    ends,
    events_of,
    history,
    job_of,
    kill,
    make_spec,
    pace,
    queue,
    read,
    recorded_epochs,
    start_job,
    supervisor_of,
    train_all,
    undisturbed,
    wait_for,
)


def interrupted_run(folder: Path, epochs: int, recorded: int) -> str:
    """A run whose supervisor and job were killed after some epochs."""
    pace(folder, 0.05)
    [name] = queue(folder, make_spec(epochs=epochs))
    requests.ensure_supervisor(folder, jobs=1)
    wait_for(lambda: recorded_epochs(folder, name) >= recorded)
    job = job_of(folder, name)
    kill(supervisor_of(folder))
    kill(job)
    pace(folder, 0)
    return name


def test_restart_of_the_machine_interrupts_and_is_no_fault_of_the_run(
    folder: Path, tmp_path: Path
) -> None:
    name = interrupted_run(folder, epochs=100, recorded=4)
    path = folder / name / "events.jsonl"
    boot = events_of(folder, name)[0]["boot"]
    before = recorded_epochs(folder, name)
    path.write_text(path.read_text().replace(boot, "the boot before"))
    assert read(folder)[name].state == "interrupted"
    assert read(folder)[name].epoch == before
    train_all(folder)
    assert_as_if_undisturbed(folder, tmp_path, make_spec(epochs=100))
    [restarted, _] = ends(folder, name)
    assert restarted["reason"] == "the machine was restarted"
    assert restarted["fault"] is False


def test_torn_tail_is_dropped_wherever_it_was_torn(folder: Path, tmp_path: Path) -> None:
    name = interrupted_run(folder, epochs=100, recorded=5)
    spec = make_spec(epochs=100)
    calm = undisturbed(tmp_path, [spec])
    whole = (folder / name / "events.jsonl").read_bytes()
    last = whole.rstrip(b"\n").rfind(b"\n") + 1
    jobs = []
    for number, cut in enumerate([last, last + 1, (last + len(whole)) // 2, len(whole) - 1]):
        copy = tmp_path / f"torn-{number}"
        shutil.copytree(folder / name, copy / name)
        (copy / name / "events.jsonl").write_bytes(whole[:cut])
        epochs = recorded_epochs(copy, name)
        assert read(copy)[name].epoch == epochs
        jobs.append((copy, start_job(copy, name)))
    for copy, job in jobs:
        _, errors = job.communicate(timeout=60)
        assert job.returncode == 0, errors
        assert_recorded_once(copy, name)
        assert history(read(copy)[name]) == calm[name]


def test_checkpoint_that_is_damaged_or_gone_means_starting_over(
    folder: Path, tmp_path: Path
) -> None:
    name = interrupted_run(folder, epochs=100, recorded=5)
    spec = make_spec(epochs=100)
    calm = undisturbed(tmp_path, [spec])
    checkpoint = (folder / name / "checkpoint").read_bytes()
    spoilt = {"gone": None, "empty": b"", "half": checkpoint[: len(checkpoint) // 2], "other": b"x"}
    jobs = []
    for kind, content in spoilt.items():
        copy = tmp_path / kind
        shutil.copytree(folder / name, copy / name)
        if content is None:
            (copy / name / "checkpoint").unlink()
        else:
            (copy / name / "checkpoint").write_bytes(content)
        jobs.append((kind, copy, start_job(copy, name)))
    for kind, copy, job in jobs:
        _, errors = job.communicate(timeout=60)
        assert job.returncode == 0, errors
        assert history(read(copy)[name]) == calm[name]
        starts = [e["from_epoch"] for e in events_of(copy, name) if e["event"] == "start"]
        assert starts[-1] == 1
        if kind != "gone":
            assert "starting over" in (copy / name / "log.txt").read_text()


def test_checkpoint_newer_or_older_than_the_events_is_not_believed(
    folder: Path, tmp_path: Path
) -> None:
    """A crash between the three steps that make an epoch true leaves a draft beside."""
    name = interrupted_run(folder, epochs=100, recorded=5)
    calm = undisturbed(tmp_path, [make_spec(epochs=100)])
    run = folder / name
    events = events_of(folder, name)
    newest = max(e["epoch"] for e in events if e.get("checkpoint"))
    lines = (run / "events.jsonl").read_text().splitlines(keepends=True)
    event_records = [json.loads(line) for line in lines]

    # The draft of an epoch that was recorded has still the draft's name: it is taken.
    untaken = tmp_path / "untaken"
    shutil.copytree(run, untaken / name)
    (untaken / name / "checkpoint").rename(untaken / name / f"checkpoint.{newest}")
    (untaken / name / "checkpoint").write_bytes(b"the checkpoint of an earlier epoch")
    # The draft of an epoch that was not recorded: it is dropped, and the one before counts.
    untold = tmp_path / "untold"
    shutil.copytree(run, untold / name)
    (untold / name / f"checkpoint.{newest + 1}").write_bytes(b"of an epoch that never was")
    (untold / name / "checkpoint.tmp").write_bytes(b"half of one")
    # Where the last recorded checkpoint is lost with its line, what is there is of the wrong epoch.
    ahead = tmp_path / "ahead"
    shutil.copytree(run, ahead / name)
    keep = [
        line
        for line, event in zip(lines, event_records, strict=True)
        if event["event"] == "start" or event.get("epoch", newest) < newest
    ]
    keep = [line.replace(',"checkpoint":true', "") for line in keep]
    (ahead / name / "events.jsonl").write_text("".join(keep))

    expected = {untaken: newest + 1, untold: newest + 1, ahead: 1}
    for copy, first in expected.items():
        job = start_job(copy, name)
        assert job.wait(60) == 0
        assert job.stderr is not None
        job.stderr.close()
        starts = [e["from_epoch"] for e in events_of(copy, name) if e["event"] == "start"]
        assert starts[-1] == first
        assert history(read(copy)[name]) == calm[name]
        assert not list((copy / name).glob("checkpoint*"))


def test_long_epochs_have_a_checkpoint_each_and_short_ones_not_more_than_they_are_worth() -> None:
    assert is_due(waited=10.5, cost=1e6)
    assert is_due(waited=2.0, cost=0.05)
    assert not is_due(waited=0.1, cost=0.05)
