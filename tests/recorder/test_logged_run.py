"""A script of one's own writes a run: seen live, asked to stop, killed, never queued."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from unittest.mock import Mock

import pytest

import postertui
from postertui.recorder import LoggedRun
from postertui.runs.lifecycle import read_lifecycle
from postertui.runs.spec import read_spec
from postertui.runs.store import Run, Store
from postertui.supervisor import requests
from postertui.system.errors import UserError
from postertui.system.sharing import share_with_group
from tests.support.analysis_runs import postertui as command

#: Writes an epoch for each line of its input, and says so.
LOOP = """
import sys, postertui
with postertui.log_run("Comedy", variant="mine", seed=3, runs=sys.argv[1], epochs=9) as run:
    for line in sys.stdin:
        if line.strip() == "fail":
            raise ValueError("no more posters")
        run.epoch({"loss": 0.5, "val_f1_score": 0.25, "grad_norm": 2.0})
        stop = run.should_stop
        print(run.last_epoch, stop, flush=True)
        if stop:
            break
"""


@contextmanager
def script(runs: Path) -> Iterator[Callable[[str], str]]:
    """The loop as a process of its own; what is called writes a line to it and reads one."""
    process = subprocess.Popen(
        [sys.executable, "-c", LOOP, runs],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None

    def step(line: str) -> str:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        if line == "kill":
            process.kill()
            process.wait(60)
            return ""
        if line == "end":
            process.stdin.close()
            process.wait(60)
            return str(process.returncode)
        process.stdin.write(line + "\n")
        process.stdin.flush()
        answer = process.stdout.readline().strip()
        if not answer and line != "fail":
            raise AssertionError(process.stderr.read())
        return answer

    try:
        yield step
    finally:
        process.kill()
        process.wait(60)
        process.stdout.close()
        process.stderr.close()
        with suppress(BrokenPipeError):
            process.stdin.close()


def only_run(runs: Path) -> Run:
    store = Store(runs)
    store.refresh()
    [run] = store.runs.values()
    return run


def test_a_loop_is_seen_live_and_done(tmp_path: Path) -> None:
    with script(tmp_path) as step:
        assert step("") == "1 False"
        run = only_run(tmp_path)
        assert (run.state, run.epoch, run.newest("test_fscore")) == ("running", 1, 0.25)
        assert run.spec is not None
        assert (run.spec.genre, run.spec.variant.name, run.spec.seed) == ("Comedy", "mine", 3)
        assert step("") == "2 False"
        assert step("end") == "0"
    run = only_run(tmp_path)
    assert (run.state, run.epoch, run.locked) == ("done", 2, False)
    log = command("log", run.name, "--runs", tmp_path).stdout
    assert "epoch 2/9  loss 0.5  val_f1_score 0.25  grad_norm 2" in log


def test_cancel_asks_the_script_to_stop(tmp_path: Path) -> None:
    with script(tmp_path) as step:
        step("")
        run = only_run(tmp_path)
        assert requests.cancel(tmp_path, [run.name]) == {run.name: "requested"}
        assert step("") == "2 True"
        assert step("end") == "0"
    run = only_run(tmp_path)
    assert (run.state, run.epoch, run.cancelling) == ("cancelled", 2, False)


def test_a_killed_script_is_interrupted_and_never_queued(tmp_path: Path) -> None:
    with script(tmp_path) as step:
        step("")
        step("kill")
    run = only_run(tmp_path)
    assert run.state == "interrupted"
    assert requests.retry(tmp_path, [run.name]) == {run.name: "external"}
    assert requests.pause_runs(tmp_path, [run.name]) == {run.name: "external"}
    answer = command("retry", run.name, "--runs", tmp_path, "--no-start")
    assert "written by a program of their own: start that again" in answer.stdout + answer.stderr
    assert requests.cancel(tmp_path, [run.name]) == {run.name: "done"}
    assert only_run(tmp_path).state == "cancelled"


@pytest.mark.slow
def test_a_supervisor_leaves_it_alone(tmp_path: Path) -> None:
    with script(tmp_path) as step:
        step("")
        assert requests.ensure_supervisor(tmp_path)
        assert step("") == "2 False"
        step("kill")
        requests.notify(tmp_path)
        requests.ensure_supervisor(tmp_path)
    [folder] = [p for p in tmp_path.iterdir() if p.name[0] != "."]
    assert requests.stop_supervisor(tmp_path, 60)
    lifecycle = read_lifecycle(folder)
    assert (lifecycle.attempt, lifecycle.milestone) == (1, "start")


def test_an_exception_fails_the_run(tmp_path: Path) -> None:
    with script(tmp_path) as step:
        step("")
        step("fail")
        assert step("end") == "1"
    run = only_run(tmp_path)
    assert (run.state, run.reason) == ("failed", "ValueError: no more posters")


def test_a_script_goes_on_with_its_interrupted_run(tmp_path: Path) -> None:
    for _ in range(2):
        run = LoggedRun("Drama", variant="v", runs=tmp_path, resume=True)
        run.epoch({"loss": 1.0})
        run.epoch({"loss": 0.5})
        run.finish("interrupted", "preempted")
    again = only_run(tmp_path)
    assert (again.epoch, again.attempt, again.state) == (4, 2, "interrupted")
    LoggedRun("Drama", variant="v", runs=tmp_path).finish()
    LoggedRun("Drama", variant="other", runs=tmp_path, resume=True).finish()
    store = Store(tmp_path)
    store.refresh()
    assert len(store.runs) == 3


def test_what_an_epoch_may_say(tmp_path: Path) -> None:
    run = LoggedRun("Drama", runs=tmp_path, hyperparameters={"learning_rate": 0.1, "fc1": 8})
    run.epoch({"loss": math.nan, "Valid/Acc": True, "learning_rate": 0.1, "epoch": 7})
    run.epoch({"loss": math.inf, "test/f2": math.nan}, epoch=2)
    with pytest.raises(TypeError, match="the metric 'loss' is not a number: 'low'"):
        run.epoch({"loss": "low"})
    with pytest.raises(ValueError, match="count from 1"):
        run.epoch({"loss": 1.0}, epoch=0)
    run.finish()
    with pytest.raises(RuntimeError, match="has ended"):
        run.epoch({"loss": 1.0})
    lines = [json.loads(line) for line in (run.folder / "events.jsonl").read_text().splitlines()]
    assert [line["event"] for line in lines] == ["start", "epoch", "epoch", "end"]
    assert lines[1]["train_loss"] is None
    assert (lines[1]["test_accuracy"], lines[1]["learning_rate"]) == (1.0, 0.1)
    assert lines[2]["extra"] == {"test_f2": None}
    variant = read_spec(run.folder).variant
    assert (variant.learning_rate, variant.fc1, variant.fc2) == (0.1, 8, 0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hyperparameters": {"wings": 2}}, "hyperparameters: no `wings`; there are .*batch_size"),
        ({"hyperparameters": {"batch_size": -2}}, "batch_size"),
        ({"validation": "both"}, 'validation: "test" or "val", not'),
    ],
)
def test_wrong_settings_are_one_line(
    settings: dict[str, object], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=message):
        LoggedRun("Drama", runs=tmp_path, **settings)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_a_full_disk_does_not_stop_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = LoggedRun("Drama", runs=tmp_path)
    run.epoch({"loss": 1.0})
    with monkeypatch.context() as full:
        full.setattr(os, "fdatasync", Mock(side_effect=OSError(28, "No space")))
        with pytest.warns(RuntimeWarning, match="epoch 2 is not recorded: No space"):
            run.epoch({"loss": 0.5})
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            run.epoch({"loss": 0.4})  # one warning is enough
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run.epoch({"loss": 0.25})
    run.finish()
    again = only_run(tmp_path)
    assert (again.epoch, again.newest("train_loss"), again.state) == (4, 0.25, "done")
    assert again.epochs.values("epoch") == [1, 4], "what is recorded later keeps its number"


def test_the_import_is_light() -> None:
    code = "import postertui.recorder, sys; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    heavy = {"numpy", "polars", "textual", "plotnine", "matplotlib", "keras", "tensorflow", "rich"}
    assert not heavy & set(loaded.stdout.split())
    assert postertui.log_run.__doc__


@pytest.mark.slow
def test_sigterm_leaves_an_interrupted_run(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys, postertui\n"
        "with postertui.log_run('Comedy', runs=sys.argv[1]) as run:\n"
        "    run.epoch({'loss': 0.5})\n"
        "    os.kill(os.getpid(), signal.SIGTERM)"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path], check=False, capture_output=True)
    assert done.returncode == -signal.SIGTERM
    assert only_run(tmp_path).state == "interrupted"


@pytest.mark.parametrize(
    "wrong",
    [
        {"genre": ""},
        {"genre": None},
        {"variant": " "},
        {"variant": 3},
        {"seed": "x"},
        {"seed": -1},
        {"seed": 0.5},
        {"epochs": 0},
    ],
)
def test_a_setting_that_is_none_leaves_no_run(tmp_path: Path, wrong: dict[str, object]) -> None:
    [name] = wrong
    with pytest.raises(UserError, match=f"^{name}: "):
        postertui.log_run(**{"genre": "War", "runs": tmp_path / "runs", **wrong})  # type: ignore[arg-type]
    assert not (tmp_path / "runs").exists()


def test_a_metric_of_no_value_and_names_of_no_text(tmp_path: Path) -> None:
    with postertui.log_run("War", runs=tmp_path) as run:
        run.epoch({"loss": 0.5, "val_loss": None})
        with pytest.raises(TypeError, match="a dictionary of names and numbers"):
            run.epoch([0.5])  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="name of a metric is a text, not 1"):
            run.epoch({1: 0.5})  # type: ignore[dict-item]
    store = Store(tmp_path)
    store.refresh()
    [logged] = store.runs.values()
    assert logged.epochs.array("train_loss").tolist() == [0.5]
    assert math.isnan(logged.epochs.array("test_loss")[0])
    listed = command("runs", "--runs", tmp_path)
    assert "1/?" in listed.stdout
    resumed = command("resume", run.name, "--runs", tmp_path)
    assert "written by a program of" in resumed.stdout + resumed.stderr


def test_in_a_shared_folder_the_group_may_use_the_run(tmp_path: Path) -> None:
    share_with_group(tmp_path / "shared")
    for runs, mode in ((tmp_path / "shared", 0o060), (tmp_path / "private", 0)):
        with postertui.log_run("War", runs=runs) as run:
            run.epoch({"loss": 0.5})
        modes = {path.name: path.stat().st_mode & 0o077 for path in (runs / run.name).iterdir()}
        assert modes == dict.fromkeys(("run.json", "events.jsonl", "log.txt", "lock"), mode)
