"""Heavy libraries are loaded only by the commands that need them; imports never go in a circle."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from postertui.runs.store import Store
from tests.support.import_graph import find_circle, imports
from tests.support.many_runs import write_runs

HEAVY = ("tensorflow", "keras", "jax", "plotnine", "matplotlib", "textual", "polars", "scipy")
#: They set how many threads a library starts, which must come before its import.
READERS = ("check", "compare", "ensemble", "findings", "plan", "report")


def loaded_by(code: str) -> set[str]:
    """Which of the heavy libraries a fresh interpreter has loaded after `code`."""
    script = f"{code}\nimport sys\nprint(*sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return set(HEAVY) & set(result.stdout.split())


def run_cli(*args: str) -> str:
    return (
        f"import sys\nfrom postertui.cli import cli\nsys.argv = ['postertui', *{list(args)!r}]\n"
        "import io, contextlib\n"
        "with contextlib.redirect_stdout(io.StringIO()):\n"
        "    cli.main(standalone_mode=False)"
    )


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert loaded_by("import postertui") == set()


def test_the_dashboard_starts_without_the_analysis() -> None:
    assert loaded_by("import postertui.dashboard.app") == {"textual"}


def test_help_loads_nothing_heavy() -> None:
    assert loaded_by(run_cli("--help")) == set()


@pytest.mark.parametrize("command", ["report", "data", "runs", "train", "export", "compare"])
def test_no_command_loads_tensorflow_for_its_help(command: str) -> None:
    assert not loaded_by(run_cli(command, "--help")) & {"tensorflow", "keras", "jax", "textual"}


def test_commands_are_found_without_the_libraries_that_they_set_up() -> None:
    modules = ", ".join(f"postertui.cli.{name}" for name in READERS)
    script = f"import sys, {modules}\nassert not {{'numpy', 'polars'}} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_commands_on_runs_load_none_of_the_heavy(tmp_path: Path) -> None:
    write_runs(tmp_path, 2, 2)
    name = next(tmp_path.iterdir()).name
    commands = [("runs",), ("log", name), ("cancel", name)]
    code = "\n".join(run_cli(*words, "--runs", str(tmp_path)) for words in commands)
    assert loaded_by(code) == set()


def test_listing_runs_without_epochs_or_from_the_cache_loads_no_numpy(tmp_path: Path) -> None:
    write_runs(tmp_path, 2, 0)
    code = run_cli("runs", "--runs", str(tmp_path))
    script = f"{code}\nassert 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)
    write_runs(tmp_path, 1, 2, first=2)
    store = Store(tmp_path)
    store.refresh()
    store._save_cache()
    subprocess.run([sys.executable, "-c", script], check=True)


def test_comparing_variants_loads_of_the_heavy_only_the_tables(tmp_path: Path) -> None:
    table = tmp_path / "history.tsv"
    rows = ["Regularizer\tFC1\tFC2\tgenre\tvariant\tseed\tepoch\ttest_fscore"]
    for variant in ("base", "other"):
        for seed in range(4):
            rows.append(f"L1=1e-5\t256\t256\tComedy\t{variant}\t{seed}\t1\t0.{seed + 3}1")
    table.write_text("\n".join(rows) + "\n")
    assert loaded_by(run_cli("compare", "--from", str(table))) == {"polars"}


def test_reading_runs_needs_neither_tensorflow_nor_a_terminal() -> None:
    loaded = loaded_by("import postertui.history, postertui.history.from_runs, postertui.filters")
    assert not loaded & {"tensorflow", "keras", "jax", "textual", "plotnine", "matplotlib"}


def test_no_file_imports_itself_by_way_of_others() -> None:
    assert find_circle(imports()) == []


def test_a_circle_would_be_found() -> None:
    arrows = {"a": frozenset("b"), "b": frozenset("c"), "c": frozenset("b"), "d": frozenset("a")}
    assert find_circle(arrows) in (["b", "c", "b"], ["c", "b", "c"])


def test_tests_share_only_what_lies_in_support() -> None:
    strays = {
        f"{module} imports {other}"
        for module, imported in imports().items()
        for other in imported
        if module.startswith(("tests", "benchmarks")) and other.startswith(("tests", "benchmarks"))
        if not other.startswith("tests.support")
        if not (module.startswith("benchmarks") and other.startswith("benchmarks"))
    }
    assert strays == set()
