"""A damaged file of each kind is reported with its name and line; everything else goes on."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import pytest

from postertui.doctor import examine
from postertui.runs.store import Store
from postertui.supervisor import requests
from tests.support.supervisor import (
    assert_as_if_undisturbed,
    job_of,
    make_spec,
    pace,
    processes_of,
    queue,
    read,
    states,
    train_all,
    train_slowly,
    wait_for,
    wait_until_over,
    wait_until_trained,
)

#: A done run's file to what is put in its place, and what is said of it.
OF_A_RUN = {
    "events.jsonl NUL": ("events.jsonl", "second line NUL", "events.jsonl:2: "),
    "events.jsonl NaN": ("events.jsonl", '{"event":"epoch","attempt":1,"epoch":NaN}', ":2: "),
    "events.jsonl text": ("events.jsonl", "not an event", "events.jsonl:2: "),
    "events.jsonl list": ("events.jsonl", "[1, 2]", "events.jsonl:2: "),
    "events.jsonl deep": ("events.jsonl", '{"a":' * 5000 + "1" + "}" * 5000, "events.jsonl:2: "),
    "events.jsonl no kind": ("events.jsonl", '{"v":1}', "events.jsonl:2: "),
    "events.jsonl epoch": (
        "events.jsonl",
        '{"v":1,"seq":1,"attempt":1,"time":1.0,"event":"epoch","epoch":"three"}',
        "events.jsonl:2: ",
    ),
    "run.json half": ("run.json", '{"variant": {"na', "run.json: not a run's description"),
    "run.json other": ("run.json", '{"x": 1}', "run.json: not a run's description"),
    "run.json gone": ("run.json", None, "run.json: No such file"),
}


def spoil(run: Path, file: str, content: str | None) -> None:
    path = run / file
    if content is None:
        path.unlink()
    elif file == "events.jsonl":
        lines = path.read_bytes().splitlines(keepends=True)
        lines[1] = content.replace("NUL", "\0").encode() + b"\n"
        path.write_bytes(b"".join(lines))
    else:
        path.write_text(content)


def test_damaged_run_is_shown_with_file_and_line_and_all_others_load(
    folder: Path, tmp_path: Path
) -> None:
    well = make_spec("Comedy")
    queue(folder, well)
    train_all(folder)
    for number in range(len(OF_A_RUN)):
        shutil.copytree(folder / well.run, folder / f"copy-{number}")
    for number, (file, content, _) in enumerate(OF_A_RUN.values()):
        spoil(folder / f"copy-{number}", file, content)
    late = make_spec("Drama")
    queue(folder, late)
    train_all(folder)  # neither the supervisor nor its jobs trip over them

    runs = read(folder)
    for number, (_, _, problem) in enumerate(OF_A_RUN.values()):
        damage = runs[f"copy-{number}"].damage
        assert damage is not None
        assert problem in damage
        assert f"copy-{number}" in damage
        shutil.rmtree(folder / f"copy-{number}")
    assert_as_if_undisturbed(folder, tmp_path, well, late)


def test_requests_for_a_damaged_run_change_nothing(folder: Path) -> None:
    [name] = queue(folder, make_spec())
    train_all(folder)
    spoil(folder / name, "events.jsonl", "not an event")
    before = (folder / name / "events.jsonl").read_bytes()
    assert requests.cancel(folder, [name]) == {name: "damaged"}
    assert requests.retry(folder, [name]) == {name: "damaged"}
    assert (folder / name / "events.jsonl").read_bytes() == before
    assert not (folder / name / "cancel").exists()


@pytest.mark.parametrize("content", [b"", b"\0\0\0", b"[]", b'{"jobs": "many"}', b"\xff\xfe"])
def test_damaged_files_beside_the_runs_stop_nobody(
    folder: Path, tmp_path: Path, content: bytes
) -> None:
    spec = make_spec()
    [name] = queue(folder, spec)
    for file in (".settings.json", ".supervisor.json", ".bell", ".notes.json", ".supervisor.log"):
        (folder / file).write_bytes(content)
    (folder / ".cache").mkdir()
    for file in ("index", "epochs-0", "lock"):
        (folder / ".cache" / file).write_bytes(content)
    (folder / name / "priority").write_bytes(content)
    (folder / name / "log.txt").write_bytes(content)
    (folder / name / "checkpoint").write_bytes(content)
    requests.ensure_supervisor(folder)
    train_all(folder)
    (folder / name / "priority").unlink()
    assert_as_if_undisturbed(folder, tmp_path, spec)
    store = Store(folder)
    store.refresh()
    assert store.runs[name].state == "done"


def test_repair_moves_what_is_damaged_aside_and_loses_nothing(folder: Path) -> None:
    well, bad = make_spec("Comedy"), make_spec("Drama")
    queue(folder, well, bad)
    train_all(folder)
    spoil(folder / bad.run, "events.jsonl", "not an event")
    content = {p.name: p.read_bytes() for p in (folder / bad.run).iterdir()}
    data = folder.parent / "data"

    before = [f for f in examine(folder, data) if f.status == "wrong"]
    assert [f.area for f in before] == ["runs"]
    assert f"{bad.run}/events.jsonl:2: " in before[0].text
    assert "--repair" in before[0].mend
    assert set(states(folder)) == {well.run, bad.run}

    assert not [f for f in examine(folder, data, repair=True) if f.status == "wrong"]
    assert set(states(folder)) == {well.run}
    moved = folder / ".damaged" / bad.run
    assert {p.name: p.read_bytes() for p in moved.iterdir()} == content
    # What was moved aside is missing now, and can simply be asked for again.
    queue(folder, bad)
    train_all(folder)
    assert states(folder) == {well.run: "done", bad.run: "done"}


def remove(path: Path) -> None:
    """Remove a folder in which a job may be writing just now."""

    def is_removed() -> bool:
        shutil.rmtree(path, ignore_errors=True)
        return not path.exists()

    wait_for(is_removed, "the folder's end")


def test_run_that_somebody_removes_while_it_is_trained_takes_nobody_along(
    folder: Path, tmp_path: Path
) -> None:
    pace(folder, 0.05)
    removed, kept = make_spec("Comedy", epochs=1000), make_spec("Drama", epochs=150)
    waiting = make_spec("Horror")
    queue(folder, removed, kept, waiting)
    requests.ensure_supervisor(folder, jobs=2)
    wait_until_trained(folder, removed.run)
    wait_until_trained(folder, kept.run)
    job = job_of(folder, removed.run)
    remove(folder / removed.run)
    job.signal(signal.SIGKILL)
    pace(folder, 0)
    wait_until_over(folder)
    assert_as_if_undisturbed(folder, tmp_path, kept, waiting)


def test_removing_the_whole_folder_ends_everything(folder: Path) -> None:
    train_slowly(folder, make_spec(epochs=10_000))
    remove(folder)
    wait_for(lambda: not processes_of(folder), "everything to end")


@pytest.mark.parametrize("file", ["log.txt", "lock", "events.jsonl", "cancel"])
def test_run_whose_files_cannot_be_written_is_given_up_after_a_while(
    folder: Path, tmp_path: Path, file: str
) -> None:
    bad, well = make_spec("Comedy"), make_spec("Drama")
    queue(folder, bad, well)
    (folder / bad.run / file).mkdir()
    train_all(folder)
    run = read(folder)[bad.run]
    if file == "log.txt":
        assert run.state == "failed"
        assert "log.txt: Is a directory" in (run.reason or "")
    assert not run.locked
    assert_as_if_undisturbed(folder, tmp_path, well)
