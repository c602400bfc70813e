"""Heavy libraries are loaded only by the commands that need them."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("tensorflow", "keras", "jax", "plotnine", "matplotlib", "textual", "polars", "scipy")


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


def test_help_loads_nothing_heavy() -> None:
    assert loaded_by(run_cli("--help")) == set()


@pytest.mark.parametrize("command", ["report", "data", "runs", "train", "export", "compare"])
def test_no_command_loads_tensorflow_for_its_help(command: str) -> None:
    assert not loaded_by(run_cli(command, "--help")) & {"tensorflow", "keras", "jax", "textual"}


def test_reading_runs_needs_neither_tensorflow_nor_a_terminal() -> None:
    loaded = loaded_by("import postertui.history, postertui.history.from_runs, postertui.filters")
    assert not loaded & {"tensorflow", "keras", "jax", "textual", "plotnine", "matplotlib"}
