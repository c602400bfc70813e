"""A runs folder from elsewhere does not decide where the cluster's token goes."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from postertui.cli import cli
from postertui.cli.train import train_command
from postertui.cli.training_place import check_place
from postertui.runs import layout
from postertui.supervisor import requests
from postertui.supervisor.__main__ import choose_backend
from postertui.supervisor.backends.ray import checks
from postertui.supervisor.folder import Settings, check_settings
from postertui.supervisor.known_clusters import check_known, remember_cluster
from postertui.system.errors import UserError
from tests.support.no_home import without_home
from tests.support.supervisor import make_spec, queue

ELSEWHERE = "ray:203.0.113.7:8265"


@pytest.fixture(autouse=True)
def own_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the user's list of clusters is."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("RAY_AUTH_TOKEN", "secret")
    monkeypatch.setattr(
        "postertui.supervisor.backends.ray.address.read_token",
        lambda: pytest.fail("the token was read"),
    )
    return tmp_path / "state/postertui/clusters.json"


@pytest.mark.parametrize("command", [["resume"], ["retry", "--all"]])
def test_unknown_address_is_asked_for(folder: Path, command: list[str]) -> None:
    queue(folder, make_spec())
    (folder / layout.SETTINGS).write_text(json.dumps({"on": ELSEWHERE}))
    result = CliRunner().invoke(cli, [*command, "--runs", str(folder)], standalone_mode=False)
    assert isinstance(result.exception, UserError)
    assert f"--on {ELSEWHERE}" in str(result.exception)
    assert "\n" not in str(result.exception)
    with pytest.raises(UserError, match="not used before"):
        choose_backend(folder, None)
    assert not requests.has_supervisor(folder)


def test_address_that_was_given_once_is_known(folder: Path) -> None:
    with pytest.raises(UserError):
        check_known(folder, ELSEWHERE)
    remember_cluster(ELSEWHERE)
    remember_cluster(ELSEWHERE)
    check_known(folder, ELSEWHERE)
    with pytest.raises(UserError):
        check_known(folder, "ray:203.0.113.7:9999")


def test_list_that_lies_in_the_runs_folder_does_not_count(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user without a home works on a folder that came with settings and a list of clusters."""
    path = without_home(monkeypatch, folder) / "state/postertui/clusters.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps([ELSEWHERE]))
    path.chmod(0o600)
    (folder / layout.SETTINGS).write_text(json.dumps({"on": ELSEWHERE}))
    for command in (["resume"], ["resume", "--on", ELSEWHERE]):
        result = CliRunner().invoke(cli, [*command, "--runs", str(folder)], standalone_mode=False)
        assert isinstance(result.exception, UserError)
        assert "set XDG_STATE_HOME" in str(result.exception)
        assert "\n" not in str(result.exception)
    with pytest.raises(UserError, match="XDG_STATE_HOME"):
        choose_backend(folder, None)
    assert not requests.has_supervisor(folder)


def test_list_that_others_may_have_written_does_not_count(folder: Path, own_list: Path) -> None:
    remember_cluster(ELSEWHERE)
    own_list.chmod(0o660)
    with pytest.raises(UserError, match="others own or may write it"):
        check_known(folder, ELSEWHERE)
    with pytest.raises(UserError, match="others own or may write it"):
        remember_cluster(ELSEWHERE)


def test_cluster_that_cannot_be_remembered_is_refused_before_runs_are_queued(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_home(monkeypatch, folder)
    monkeypatch.setattr(checks, "check_before_training", lambda *_: "a cluster")
    with pytest.raises(UserError, match="XDG_STATE_HOME"):
        check_place(folder, ELSEWHERE, None, None)


@pytest.mark.parametrize("bound", ["min", "max"])
def test_settings_hold_each_share_of_gpus_that_a_user_may_give(folder: Path, bound: str) -> None:
    # Settings that cannot be read name no cluster, so that runs would be trained here.
    [gpu] = [option for option in train_command.params if option.name == "gpu"]
    asked = Settings(on=ELSEWHERE, gpu=getattr(gpu.type, bound))
    (folder / layout.SETTINGS).write_bytes(msgspec.json.encode(asked))
    assert check_settings(folder) == asked
