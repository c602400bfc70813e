"""An import that is killed leaves whole runs or none, and the next one completes it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from postertui.importer import import_paths
from postertui.runs.store import Store

RUNS, EPOCHS = 9, 3
NOW = 1_700_000_000.0

#: Sends itself a signal before the n-th call of a kind on a path with these words.
SIGNALLED = """
import os, sys
from pathlib import Path
from postertui.cli import main
from postertui.importer import import_paths

table, runs, call, words, count, number = sys.argv[1:]
calls = 0

def kill_at_call(event, arguments):
    global calls
    if event == call and words in str(arguments[0]):
        calls += 1
        if calls == int(count):
            os.kill(os.getpid(), int(number))

sys.addaudithook(kill_at_call)
"""

IMPORT = "import_paths([Path(table)], Path(runs), 1_700_000_000.0)"
#: Signals that were ignored where the tests run, as below `nohup`, are not.
COMMAND = "import signal; signal.signal(int(number), signal.SIG_DFL)\n"
COMMAND += "sys.argv = ['postertui', 'import', table, '--runs', runs]; main()"

#: Call, words of its path, which of those calls; and how many runs are in place then.
WRITING = {
    "before the first run's folder": ("os.mkdir", "--s", 1, 0),
    "between two files of a run": ("open", "events.jsonl", 3, 0),
}
INTO_A_FOLDER = WRITING | {
    "all written, none published": ("os.rename", "--s", 1, 0),
    "some published": ("os.rename", "--s", 5, 4),
    "all published": ("shutil.rmtree", ".importing-", 1, RUNS),
}
INTO_A_NEW_FOLDER = WRITING | {
    "all written, none published": ("os.rename", ".importing-", 1, 0),
    "all published": ("shutil.rmtree", ".importing-", 1, RUNS),
}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("table") / "histories.tsv"
    header = "Regularizer\tFC1\tFC2\tgenre\tvariant\tseed\tepoch\ttest_loss\ttest_fscore"
    rows = [
        f"L1=1e-5\t256\t256\tComedy\tbase\t{seed}\t{epoch}\t{1 / epoch}\t{seed / RUNS}"
        for seed in range(RUNS)
        for epoch in range(1, EPOCHS + 1)
    ]
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


@pytest.fixture(scope="module")
def undisturbed(table: Path) -> dict[Path, bytes]:
    runs = table.parent / "runs"
    import_paths([table], runs, NOW)
    return contents(runs)


def contents(runs: Path) -> dict[Path, bytes]:
    """Every file below `runs`, hidden ones too."""
    return {p.relative_to(runs): p.read_bytes() for p in runs.rglob("*") if p.is_file()}


def whole_runs(runs: Path) -> int:
    """How many runs a reader sees; each must be done and whole."""
    store = Store(runs)
    store.refresh()
    for run in store.runs.values():
        assert run.damage is None and run.state == "done" and len(run.epochs) == EPOCHS
    return len(store.runs)


def run_signalled(
    code: str, call: Sequence[object], number: signal.Signals, table: Path, runs: Path
) -> subprocess.CompletedProcess[bytes]:
    arguments = map(str, (table, runs, *call, int(number)))
    command = [sys.executable, "-c", SIGNALLED + code, *arguments]
    return subprocess.run(command, capture_output=True, check=False)


def assert_killed(call: Sequence[object], table: Path, runs: Path) -> None:
    killed = run_signalled(IMPORT, call, signal.SIGKILL, table, runs)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()


def assert_completed_by_the_next(
    table: Path, runs: Path, published: int, undisturbed: dict[Path, bytes]
) -> None:
    assert whole_runs(runs) == published
    report = import_paths([table], runs, NOW)
    assert (len(report.added), report.existing) == (RUNS - published, published)
    assert not report.skipped
    assert contents(runs) == undisturbed
    assert list(runs.parent.iterdir()) == [runs]
    assert not list(runs.glob(".*"))


@pytest.mark.parametrize("moment", INTO_A_FOLDER)
def test_killed_import_leaves_whole_runs_and_the_next_completes_it(
    moment: str, table: Path, undisturbed: dict[Path, bytes], tmp_path: Path
) -> None:
    *call, published = INTO_A_FOLDER[moment]
    runs = tmp_path / "runs"
    runs.mkdir()
    assert_killed(call, table, runs)
    assert_completed_by_the_next(table, runs, published, undisturbed)


@pytest.mark.parametrize("moment", INTO_A_NEW_FOLDER)
def test_killed_import_into_a_new_folder_leaves_all_runs_or_none_and_the_next_completes_it(
    moment: str, table: Path, undisturbed: dict[Path, bytes], tmp_path: Path
) -> None:
    *call, published = INTO_A_NEW_FOLDER[moment]
    runs = tmp_path / "[0-9] runs"
    assert_killed(call, table, runs)
    assert runs.exists() == (published > 0)
    assert_completed_by_the_next(table, runs, published, undisturbed)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_import_that_is_asked_to_end_leaves_nothing(
    number: signal.Signals, table: Path, tmp_path: Path
) -> None:
    between_two_runs = "os.mkdir", "--s", 5
    ended = run_signalled(COMMAND, between_two_runs, number, table, tmp_path / "far/runs")
    assert ended.returncode == 128 + number, ended.stderr.decode()
    assert ended.stderr.strip() == b""
    assert list(tmp_path.iterdir()) == []


def test_import_that_is_asked_to_end_leaves_nothing_in_a_folder(
    table: Path, tmp_path: Path
) -> None:
    ended = run_signalled(COMMAND, ("os.mkdir", "--s", 5), signal.SIGTERM, table, tmp_path)
    assert ended.returncode == 128 + signal.SIGTERM, ended.stderr.decode()
    assert list(tmp_path.iterdir()) == []
