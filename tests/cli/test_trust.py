"""Another's runs folder: its files are not executed before they are trusted by name."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from postertui.runs.spec import write_spec
from postertui.study import CodeFile, Variant
from postertui.system.errors import UserError
from tests.support.commands import invoke
from tests.support.custom_code import source_of
from tests.support.poster_data import make_data
from tests.support.specs import made_spec
from tests.support.trained_models import RANDOM, build_data, write_many_sizes, write_model


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def job(run: Path) -> None:
    """What a supervisor has done with a run."""
    command = [sys.executable, "-P", "-m", "postertui.training.job", str(run)]
    environment = {**os.environ, "POSTERTUI_TRAINER": "none:none"}
    subprocess.run(command, env=environment, capture_output=True, check=False, timeout=120)


def last_event(run: Path) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((run / "events.jsonl").read_text().splitlines()[-1])
    return event


def test_a_prepared_runs_folder_executes_nothing_and_says_how_to_trust(tmp_path: Path) -> None:
    source = source_of(f"""
        open({str(tmp_path / "executed")!r}, "w").close()
        def loss(y, p, present, variant):
            return p
    """)
    spec = made_spec(
        Variant(name="x", loss="mine.loss", code=(CodeFile("mine", source.sha256),)),
        data=str(tmp_path / "data"),
        weights=RANDOM,
    )
    runs = tmp_path / "runs"
    write_spec(runs, spec, {source.sha256: source.data})
    run = runs / spec.run
    # As if the list that is asked lay here.
    (runs / "postertui").mkdir()
    (runs / "postertui/trusted.json").write_text(f'[{{"sha256": "{source.sha256}", "path": "x"}}]')
    job(run)
    assert last_event(run)["status"] == "failed"
    assert f"`postertui trust {shlex.quote(str(run / 'mine.py'))}`" in last_event(run)["reason"]

    assert invoke("trust", run / "mine.py").return_value == 0
    assert source.sha256[:16] in invoke("trust", "--list").stdout
    invoke("retry", spec.run, "--runs", runs, "--no-start")
    job(run)
    # Trusted, it comes as far as the trainer, which there is none of here.
    assert "no such trainer" in last_event(run)["reason"]

    (run / "mine.py").write_bytes(source.data + b"# changed\n")
    invoke("retry", spec.run, "--runs", runs, "--no-start")
    job(run)
    assert "SHA-256 differs" in last_event(run)["reason"]
    assert invoke("trust", "--remove", source.sha256[:16]).return_value == 0
    assert invoke("trust", "--list").stdout == ""
    assert not (tmp_path / "executed").exists()


def test_predicting_with_a_network_of_anothers_asks_for_trust_first(tmp_path: Path) -> None:
    posters = write_many_sizes(tmp_path / "posters", 4)
    data = build_data(tmp_path / "data", posters)
    source = source_of("def build(x, variant):\n    return x\n")
    variant = Variant(
        name="x",
        fc1=16,
        fc2=8,
        epochs=1,
        network="mine.build",
        code=(CodeFile("mine", source.sha256),),
    )
    runs = tmp_path / "runs"
    files = {source.sha256: source.data}
    spec = write_model(runs, data, "Comedy", variant=variant, code=files)
    for command in (
        ("predict", posters, "--run", spec.run),
        ("export-model", spec.run, "-o", tmp_path / "x.keras"),
    ):
        refused = invoke(*command, "--runs", runs).exception
        assert isinstance(refused, UserError)
        assert f"`postertui trust {shlex.quote(str(runs / spec.run / 'mine.py'))}`" in str(refused)
    assert not (tmp_path / "x.keras").exists()


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ((), "which file?"),
        (("--list", "x.py"), "which file?"),
        (("missing.py",), "No such file"),
        (("--remove", "missing.py"), "not trusted"),
        ((".",), "Is a directory"),
    ],
)
def test_trust_says_what_is_wrong(arguments: tuple[str, ...], what: str) -> None:
    assert what in str(invoke("trust", *arguments).exception)


def test_train_trusts_ones_own_file_and_not_before_it_queues(tmp_path: Path) -> None:
    data = make_data(tmp_path / "data")
    (tmp_path / "mine.py").write_text("def loss(y, p, present, variant):\n    return p\n")
    study = tmp_path / "s.toml"
    study.write_text('rarity = 0\n[base]\nloss = "mine.py:loss"\n')
    train = ["train", "--study", study, "--weights", "random", "--data", data]
    dry = invoke(*train, "--runs", tmp_path / "runs", "--dry-run")
    assert dry.exception is None
    assert invoke("trust", "--list").stdout == ""
    (tmp_path / "mine.py").chmod(0o666)
    refused = invoke(*train, "--runs", tmp_path / "runs")
    assert "may be changed by every user" in str(refused.exception)
    assert not (tmp_path / "runs").exists()
