"""A runs folder is never a reason to execute a file: what is read, compared and trusted."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest

from postertui.runs.code import read_code, write_code
from postertui.runs.run_names import run_folder
from postertui.runs.spec import write_spec
from postertui.study import CodeFile, CodeSource, Variant
from postertui.supervisor.trust import check_own_files, trust_own_files
from postertui.system.errors import UserError
from postertui.system.trusted_files import trust
from tests.support.custom_code import is_trusted, source_of
from tests.support.specs import made_spec

SOURCE = source_of("def loss(y, p, present, variant):\n    return p\n")
VARIANT = Variant(name="x", loss="mine.loss", code=(CodeFile("mine", SOURCE.sha256),))


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    spec = made_spec(VARIANT)
    assert write_spec(tmp_path / "runs", spec, {SOURCE.sha256: SOURCE.data})
    return run_folder(tmp_path / "runs", spec.run)


def test_an_untrusted_file_is_refused_with_the_command_that_trusts_it(folder: Path) -> None:
    with pytest.raises(UserError, match="have not trusted") as caught:
        read_code(folder, VARIANT)
    assert f"`postertui trust {shlex.quote(str(folder / 'mine.py'))}`" in str(caught.value)
    trust([(SOURCE.sha256, Path("mine.py"))])
    assert read_code(folder, VARIANT) == {"mine": SOURCE.data}


def test_what_a_driver_vouches_for_needs_no_trust(folder: Path) -> None:
    assert read_code(folder, VARIANT, frozenset({SOURCE.sha256}))
    with pytest.raises(UserError, match="have not trusted"):
        read_code(folder, VARIANT, frozenset({"0" * 64}))


def test_a_changed_copy_is_refused_whatever_is_trusted(folder: Path) -> None:
    changed = source_of("def loss(y, p, present, variant):\n    return y\n")
    trust([(SOURCE.sha256, Path("a.py")), (changed.sha256, Path("b.py"))])
    (folder / "mine.py").write_bytes(changed.data)
    with pytest.raises(UserError, match="SHA-256 differs"):
        read_code(folder, VARIANT, frozenset({SOURCE.sha256, changed.sha256}))


def test_links_pipes_and_giants_in_its_place_are_refused(folder: Path, tmp_path: Path) -> None:
    trust([(SOURCE.sha256, Path("mine.py"))])
    path = folder / "mine.py"
    path.rename(tmp_path / "mine.py")
    with pytest.raises(UserError, match=r"mine\.py: No such file"):
        read_code(folder, VARIANT)
    path.symlink_to(tmp_path / "mine.py")
    with pytest.raises(UserError, match="is a link"):
        read_code(folder, VARIANT)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(UserError, match="not a regular file"):
        read_code(folder, VARIANT)
    path.unlink()
    path.write_bytes(b"#" * 300_000)
    with pytest.raises(UserError, match="is larger than"):
        read_code(folder, VARIANT)


def test_a_node_writes_the_file_over_whatever_lies_there(folder: Path, tmp_path: Path) -> None:
    path, outside = folder / "mine.py", tmp_path / "outside"
    outside.write_text("kept")
    path.unlink()
    path.symlink_to(outside)
    write_code(folder, VARIANT, {"mine": SOURCE.data, "other": b"never written"})
    assert outside.read_text() == "kept"
    assert path.read_bytes() == SOURCE.data
    assert not (folder / "other.py").exists()


def own(path: Path) -> CodeSource:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(SOURCE.data)
    return CodeSource(path, SOURCE.data, (os.geteuid(), os.geteuid()), 0o644)


def test_train_trusts_ones_own_files_and_no_others(tmp_path: Path) -> None:
    source = own(tmp_path / "mine.py")
    runs = tmp_path / "runs"
    for foreign, what in (
        (source._replace(owners=(os.geteuid(), os.geteuid() + 1)), "belongs to"),
        (source._replace(owners=(os.geteuid() + 1, os.geteuid())), "belongs to"),
        (source._replace(mode=0o666), "changed by every user"),
        (own(runs / "x/mine.py"), "lies in the runs folder"),
    ):
        with pytest.raises(UserError, match=what) as caught:
            trust_own_files(runs, [foreign])
        assert f"`postertui trust {shlex.quote(str(foreign.path))}`" in str(caught.value)
        assert not is_trusted(SOURCE.sha256)
    (tmp_path / "link").symlink_to(runs / "x")
    with pytest.raises(UserError, match="lies in the runs folder"):
        trust_own_files(runs, [source._replace(path=tmp_path / "link/mine.py")])
    trust_own_files(runs, [source])
    assert is_trusted(SOURCE.sha256)
    check_own_files(runs, [source._replace(mode=0o666)])  # trusted by its content
