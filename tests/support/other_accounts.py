"""Programs run where every account reaches what a test names, whatever the modes above it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.support.supervisor import ROOT

SUPPORT = ROOT / "tests" / "support"


def as_account(user: int, group: int) -> list[str]:
    """What to put before a command so that it runs as that account, which needs root."""
    return ["setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups"]


def run_reachable(
    place: Path, *command: str | Path, code: Path = ROOT, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run `command` where each account reaches `place`, the program in `code`, and Python.

    The test is skipped where mounting is not allowed.
    """
    installed = [path for path in sys.path if path.endswith("-packages")]
    reachable: Iterable[str | Path] = [place, code, sys.prefix, sys.base_prefix, *installed]
    result = subprocess.run(
        ["sh", SUPPORT / "reachable.sh", *reachable, "--", *command],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(code)} | environment,
    )
    if result.returncode == 125:
        pytest.skip("mounting is not allowed here, and other accounts may not reach the program")
    return result
