"""Compiled networks are kept between processes: the same numbers, whatever happens to the files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from postertui.data.dataset import Dataset
from postertui.training import compile_cache
from tests.support.no_home import without_home
from tests.support.supervisor import ROOT

SCRIPT = """
import json, sys
from pathlib import Path
from postertui.training import compile_cache, environment
environment.prepare()
compile_cache.enable(1)
from postertui.data.dataset import Dataset
from postertui.training.trainer import Trainer
from tests.support.training_data import make_spec, without_time
spec = make_spec(Dataset.open(Path(sys.argv[1])), epochs=2, batch_size=32)
print(json.dumps([without_time(e.metrics) for e in Trainer().epochs(spec)]))
compile_cache.seal()
"""


GIVES_UP = """
import os, sys
from pathlib import Path
from postertui.training import compile_cache
compile_cache._IN_MEMORY = Path(sys.argv[1])
compile_cache.enable(1)
print(compile_cache.abandon(), flush=True)
sys.stdin.read()
os._exit(0)
"""


def train(data: Path, cache: Path | str, backend: str = "tensorflow") -> list[dict[str, Any]]:
    """Two epochs in a process of its own."""
    environment = {**os.environ, compile_cache.VARIABLE: str(cache), "KERAS_BACKEND": backend}
    environment["PYTHONPATH"] = str(ROOT)
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(data)],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    return list(json.loads(result.stdout.splitlines()[-1]))


def entries(cache: Path, pattern: str = "*.pb") -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in cache.rglob(pattern)}


@pytest.mark.slow
def test_kept_code_gives_the_same_numbers_and_damage_is_no_failure(
    data: Dataset, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    compiled = train(data.path, "off")
    assert train(data.path, cache) == compiled
    kept = entries(cache)
    assert len(kept) >= 2  # one for training, one for evaluation
    assert len(entries(cache, "*.crc32")) == len(kept)
    assert train(data.path, cache) == compiled
    assert entries(cache) == kept
    # A file that a power failure has left half-written, before any seal and after it.
    first, second, *_ = sorted(cache.rglob("*.pb"))
    first.write_bytes(b"\0" * len(kept[first.name]))
    second.write_bytes(kept[second.name][:1000])
    second.with_suffix(".crc32").unlink()
    assert train(data.path, cache) == compiled
    assert entries(cache).keys() == kept.keys()
    # One that is damaged while it has the right seal can only be found by TensorFlow.
    first.write_bytes(b"nonsense")
    first.with_suffix(".crc32").write_bytes(compile_cache.checksum(first))
    assert train(data.path, cache) == compiled


@pytest.mark.slow
def test_jax_keeps_what_it_compiles_too(data: Dataset, tmp_path: Path) -> None:
    pytest.importorskip("jax")
    compiled = train(data.path, "off", "jax")
    assert train(data.path, tmp_path, "jax") == compiled
    assert len(entries(tmp_path, "*-cache")) >= 2
    assert train(data.path, tmp_path, "jax") == compiled


def test_the_longest_unused_go_first(tmp_path: Path) -> None:
    for age, name in enumerate("abcd"):
        (tmp_path / name).write_bytes(b"x" * 10)
        os.utime(tmp_path / name, (1e9 - age, 1e9 - age))
    compile_cache.prune(tmp_path, 25)
    assert {path.name for path in tmp_path.iterdir()} == {"a", "b"}


def test_only_what_is_sealed_stays(tmp_path: Path) -> None:
    for name in ("right", "wrong", "none"):
        entry = tmp_path / f"{name}.pb"
        entry.write_bytes(name.encode())
        if name != "none":
            compile_cache.seal_of(entry).write_bytes(compile_cache.checksum(entry))
    (tmp_path / "wrong.pb").write_bytes(b"\0\0\0\0\0")
    compile_cache.remove_unsealed(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"right.pb", "right.crc32"}


def test_a_process_that_gives_the_cache_up_removes_what_others_left_and_nothing_in_use(
    tmp_path: Path,
) -> None:
    memory = tmp_path / "memory"
    memory.mkdir()
    environment = {**os.environ, compile_cache.VARIABLE: str(tmp_path / "cache")}
    command = [sys.executable, "-c", GIVES_UP, str(memory)]

    def names() -> set[str]:
        return {path.name for path in memory.iterdir()}

    def run_another() -> None:
        ended = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=True
        )
        assert ended.stdout == b"True\n"

    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as at_work:
        assert at_work.stdout is not None and at_work.stdout.readline() == b"True\n"
        [in_use] = names()
        run_another()
        run_another()
        assert len(names()) == 2 and in_use in names()
        at_work.communicate()
    run_another()
    assert len(names()) == 1


def test_a_folder_that_others_can_write_to_is_not_used(tmp_path: Path) -> None:
    assert compile_cache.is_private(tmp_path)
    tmp_path.chmod(0o770)
    assert not compile_cache.is_private(tmp_path)


def test_the_key_follows_threads_and_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {compile_cache.cache_key(1), compile_cache.cache_key(2)}
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=true")
    keys.add(compile_cache.cache_key(1))
    assert len(keys) == 3


def test_machine_code_of_a_runs_folder_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user without a home keeps their files below the runs folder, which others may prepare."""
    fallback = without_home(monkeypatch, tmp_path)
    monkeypatch.delenv(compile_cache.VARIABLE, raising=False)
    monkeypatch.setenv("TF_XLA_FLAGS", "")
    compile_cache.enable(1)
    assert os.environ["TF_XLA_FLAGS"] == ""
    assert not fallback.exists()
