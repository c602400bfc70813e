"""The user's list of files that may be executed."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from postertui.system import trusted_files as store
from postertui.system.errors import UserError
from tests.support.custom_code import is_trusted
from tests.support.no_home import without_home

A, B = "a" * 64, "b" * 64


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state/postertui/trusted.json"


def test_what_is_trusted_is_trusted_until_it_is_removed() -> None:
    assert not is_trusted(A)
    assert [entry.sha256 for entry in store.trust([(A, Path("/x/a.py")), (B, Path("b.py"))])] == [
        *(A, B),
    ]
    assert store.trust([(A, Path("/x/a.py"))]) == []
    assert is_trusted(A)
    assert store.trusted_files()[1].path == str(Path("b.py").absolute())
    assert [entry.sha256 for entry in store.distrust([A])] == [A]
    assert not is_trusted(A)
    assert is_trusted(B)


def test_the_list_is_for_the_user_alone(state: Path) -> None:
    before = os.umask(0)
    try:
        store.trust([(A, Path("a.py"))])
    finally:
        os.umask(before)
    assert stat.S_IMODE(state.stat().st_mode) == 0o600
    assert stat.S_IMODE(state.parent.stat().st_mode) == 0o700
    state.chmod(0o620)
    with pytest.raises(UserError, match="others own or may write it"):
        is_trusted(A)


@pytest.mark.parametrize("content", ["", "{}", '["a"]', "[" * 100_000, "\0"])
def test_a_damaged_list_trusts_nothing(state: Path, content: str) -> None:
    store.trust([(A, Path("a.py"))])
    state.write_text(content)
    with pytest.raises(UserError, match="not a list of trusted files"):
        is_trusted(A)


def test_a_link_to_a_list_trusts_nothing(state: Path, tmp_path: Path) -> None:
    store.trust([(A, Path("a.py"))])
    state.rename(tmp_path / "elsewhere.json")
    state.symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(UserError):
        is_trusted(A)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to make another account's file")
def test_another_accounts_list_trusts_nothing(state: Path) -> None:
    store.trust([(A, Path("a.py"))])
    os.chown(state, 12345, 12345)
    with pytest.raises(UserError, match="others own"):
        is_trusted(A)


def test_without_a_home_a_list_in_the_runs_folder_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user's other files lie below the runs folder then, where others may have put them."""
    path = without_home(monkeypatch, tmp_path / "runs") / "state/postertui/trusted.json"
    path.parent.mkdir(parents=True)
    path.write_text(f'[{{"sha256": "{A}", "path": "x"}}]')
    path.chmod(0o600)
    with pytest.raises(UserError, match="XDG_STATE_HOME"):
        is_trusted(A)


def test_a_relative_place_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "runs")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="absolute"):
        store.trust([(A, Path("a.py"))])


def test_what_is_trusted_at_once_is_all_there() -> None:
    digests = [f"{number:064d}" for number in range(20)]
    threads = [
        threading.Thread(target=store.trust, args=([(digest, Path("a.py"))],)) for digest in digests
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {entry.sha256 for entry in store.trusted_files()} == set(digests)
