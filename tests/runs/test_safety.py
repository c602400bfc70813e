"""What is in `runs/` is data: private to its user, and never code."""

from __future__ import annotations

import ast
import os
import pickle
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import postertui
from postertui.supervisor import requests
from postertui.supervisor.installed import current_versions
from tests.support.other_accounts import as_account, run_reachable
from tests.support.poster_data import make_data
from tests.support.supervisor import (
    assert_as_if_undisturbed,
    events_of,
    job_of,
    kill,
    make_spec,
    queue,
    recorded_epochs,
    supervisor_of,
    train_all,
    wait_for,
    wait_until_trained,
)
from tests.support.supervisor_fixtures import cheap, folder

__all__ = ["cheap", "folder"]

PACKAGE = Path(postertui.__file__).parent


def train(runs: Path, data: Path, *more: str) -> list[str]:
    command = [sys.executable, "-P", "-m", "postertui", "train", "--weights", "random"]
    command += ["--variant", "base", "--genre", "Comedy", "--epochs", "3"]
    return [*command, "--runs", str(runs), "--data", str(data), *more]


def test_files_are_for_their_owner_only_whatever_the_umask(folder: Path, tmp_path: Path) -> None:
    runs, data = folder / "made", make_data(tmp_path / "data")
    before = os.umask(0)
    try:
        done = subprocess.run(train(runs, data), capture_output=True, text=True, check=False)
        listed = [sys.executable, "-m", "postertui", "runs", "--runs", str(runs)]
        subprocess.run(listed, capture_output=True, check=True)
        [name] = (path.name for path in runs.iterdir() if path.name[0] != ".")
        requests.retry(runs, [name])
        requests.set_priority(runs, [name], 3)
        requests.pause(runs)
        requests.pause_runs(runs, queue(runs, make_spec("Drama")))
    finally:
        os.umask(before)
    assert done.returncode == 0, done.stderr
    modes = {
        str(path.relative_to(folder)): stat.S_IMODE(path.stat().st_mode)
        for path in (runs, *runs.rglob("*"))
    }
    assert len(modes) > 10
    wrong = {
        p: oct(m) for p, m in modes.items() if m != (0o700 if (folder / p).is_dir() else 0o600)
    }
    assert wrong == {}


def test_nothing_of_the_environment_is_written_down(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "hunter2-9f86d081884c7d65"
    for name in ("AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "MY_PASSWORD", "POSTERTUI_SECRET"):
        monkeypatch.setenv(name, secret)
    data = make_data(tmp_path / "data")
    result = subprocess.run(train(folder, data), capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 5
    assert not [path for path in files if secret.encode() in path.read_bytes()]
    assert secret not in result.stderr
    assert set(current_versions()) <= {"postertui", "python", "numpy", "keras", "tensorflow", "jax"}


class _Bomb:
    def __init__(self, marker: Path) -> None:
        self._marker = marker

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self._marker}",)


def test_nothing_in_the_folder_is_executed_or_unpickled(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "executed"
    code = f"open({str(marker)!r}, 'w').close()\n"
    monkeypatch.chdir(folder)
    for module in ("msgspec", "numpy", "postertui", "sitecustomize", "usercustomize"):
        (folder / f"{module}.py").write_text(code)
    monkeypatch.setenv("CHEAP_SECONDS", "0.03")
    spec = make_spec(epochs=10)
    queue(folder, spec)
    run = folder / spec.run
    (run / "msgspec.py").write_text(code)
    requests.ensure_supervisor(folder, jobs=1)
    wait_until_trained(folder, spec.run, 5)
    job = job_of(folder, spec.run)
    kill(supervisor_of(folder))
    kill(job)
    bomb = pickle.dumps(_Bomb(marker))
    (run / "checkpoint").write_bytes(bomb)
    index = folder / ".cache"
    index.mkdir(exist_ok=True)
    (index / "index").write_bytes(bomb)
    (folder / ".settings.json").write_bytes(bomb)
    train_all(folder)
    assert not marker.exists()
    (run / "msgspec.py").unlink()
    monkeypatch.chdir(tmp_path)
    assert_as_if_undisturbed(folder, tmp_path, spec)
    assert not marker.exists()


def calls(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and dotted name of what is called; `allow_pickle` where that is anything but False."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield node.lineno, ast.unparse(node.func)
            for keyword in node.keywords:
                if keyword.arg == "allow_pickle" and ast.unparse(keyword.value) != "False":
                    yield node.lineno, "allow_pickle"
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = node.module if isinstance(node, ast.ImportFrom) else None
            for alias in node.names:
                yield node.lineno, f"import {module or alias.name}"


def test_nothing_but_a_trusted_file_of_the_users_own_is_executed_and_nothing_unpickled() -> None:
    forbidden = {"eval", "exec", "compile", "os.system", "os.popen", "allow_pickle"}
    forbidden |= {f"import {m}" for m in ("pickle", "marshal", "shelve", "dill", "cloudpickle")}
    # Figures are sent to processes of our own making; nothing there reads a file.
    between_processes = {"figures/render_pool.py"}
    # It executes bytes whose digest this user trusts (tests/training/test_custom.py).
    of_trusted_files = {("training/custom.py", "compile"), ("training/custom.py", "exec")}
    unsafe_calls = [
        f"{path.relative_to(PACKAGE)}:{line} {what}"
        for path in PACKAGE.rglob("*.py")
        if str(path.relative_to(PACKAGE)) not in between_processes
        for line, what in calls(ast.parse(path.read_text()))
        if what in forbidden or what.endswith("shell=True")
        if (str(path.relative_to(PACKAGE)), what) not in of_trusted_files
    ]
    assert unsafe_calls == []


@pytest.fixture(scope="module")
def readable_code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package that every user may read, wherever the checkout lies."""
    folder = tmp_path_factory.mktemp("code")
    shutil.copytree(PACKAGE, folder / "postertui", ignore=shutil.ignore_patterns("__pycache__"))
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return folder


def run_as_other_user(place: Path, code: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """`postertui` in `place`, run by a user who owns nothing here."""
    program = [sys.executable, "-P", "-m", "postertui", *args]
    command = ["env", "-C", str(place), *as_account(65534, 65534), *program]
    return run_reachable(place, *command, code=code, HOME="/nonexistent")


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")
@pytest.mark.parametrize("mode", [0o700, 0o755])
@pytest.mark.parametrize(
    "command", [["runs"], ["cancel", "--all"], ["train"], ["pause"], ["log", "x"]]
)
def test_folder_of_another_user_is_one_clear_line(
    tmp_path: Path, readable_code: Path, mode: int, command: list[str]
) -> None:
    data = make_data(tmp_path / "data")
    for path in (tmp_path, data, *data.iterdir()):
        path.chmod(0o755)
    runs = tmp_path / "runs"
    [name] = queue(runs, make_spec())
    runs.chmod(mode)
    if command == ["train"]:
        command = train(runs, data)[4:-4]
    result = run_as_other_user(tmp_path, readable_code, *command)
    output = result.stdout + result.stderr
    assert "Traceback" not in output
    if mode == 0o755 and command == ["runs"]:
        # What can be looked at is looked at.
        assert (result.returncode, output.count(f"runs/{name} belongs to root")) == (0, 1)
    elif mode == 0o755 and command[0] in ("cancel", "log"):
        assert result.returncode in (1, 3)
    else:
        assert result.returncode in (1, 2)
        [line] = [line for line in output.splitlines() if line.startswith("postertui: ")]
        assert line.startswith(("postertui: runs", "postertui: cannot queue runs: runs"))
        assert "Permission denied" in line
    assert {p.name for p in runs.iterdir()} == {name}
    assert not (runs / name / "cancel").exists()


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A runs folder with one run, on which nothing can be written."""
    place = tmp_path / "place"
    runs = place / "runs"
    queue(runs, make_spec())
    if os.geteuid() == 0:
        bind = ["mount", "--bind", str(place), str(place)]
        if subprocess.run(bind, capture_output=True, check=False).returncode:
            pytest.skip("mounting is not allowed here")
        subprocess.run(["mount", "-o", "remount,ro,bind", str(place)], check=True)
        yield runs
        subprocess.run(["umount", str(place)], check=True)
    else:
        paths = [p for p in runs.rglob("*") if p.is_dir()]
        for path in (*paths, runs):
            path.chmod(0o500)
        yield runs
        for path in (*paths, runs):
            path.chmod(0o700)


def test_read_only_folder_can_be_read_and_says_what_it_cannot(
    read_only: Path, tmp_path: Path
) -> None:
    data = make_data(tmp_path / "data")
    base = [sys.executable, "-m", "postertui"]

    def call(*args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*base, *args, "--runs", str(read_only)], capture_output=True, text=True, check=False
        )

    listed = call("runs")
    assert listed.returncode == 0
    assert "queued" in listed.stdout
    for args in (["cancel", "--all"], ["pause"], ["resume"], ["priority", "3", "--all"]):
        result = call(*args)
        assert result.returncode == 1, args
        assert result.stderr.count("\n") <= 2, result.stderr
        assert str(read_only) in result.stderr
    trained = subprocess.run(train(read_only, data), capture_output=True, text=True, check=False)
    assert trained.returncode == 1
    [line] = [x for x in trained.stderr.splitlines() if x.startswith("postertui: ")]
    assert "cannot queue runs: " in line
    examined = call("doctor")
    assert examined.returncode == 1
    assert "cannot be written" in examined.stdout


def test_escape_sequences_in_what_a_run_says_never_reach_the_terminal(folder: Path) -> None:
    [name] = queue(folder, make_spec("raise"))
    train_all(folder)
    assert recorded_epochs(folder, name) == 2
    [end] = [e for e in events_of(folder, name) if e["event"] == "end"]
    assert "\x1b" not in end["reason"]
    # Even where the file itself was tampered with.
    path = folder / name / "events.jsonl"
    path.write_text(path.read_text().replace("the third", "\\u001b]0;x\\u0007\\u001b[2Jthe third"))
    for args in (["runs"], ["runs", "--json"], ["log", name]):
        command = [sys.executable, "-m", "postertui", *args, "--runs", str(folder)]
        result = subprocess.run(command, capture_output=True, text=True, check=True)
        assert "the third" in result.stdout
        assert "\x1b" not in result.stdout + result.stderr
        assert "\x07" not in result.stdout + result.stderr


def test_waiting_for_a_supervisor_that_cannot_start_is_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from postertui.system.errors import UserError

    queue(folder, make_spec())
    (folder / ".supervisor.log").mkdir()
    with pytest.raises(UserError, match=r"the supervisor could not start: .*Is a directory"):
        requests.ensure_supervisor(folder)
    (folder / ".supervisor.log").rmdir()
    monkeypatch.setenv("POSTERTUI_JOB_MEMORY_MB", "much")
    with pytest.raises(UserError, match="POSTERTUI_JOB_MEMORY_MB"):
        requests.ensure_supervisor(folder)
    wait_for(lambda: not (folder / ".supervisor.json").exists())
