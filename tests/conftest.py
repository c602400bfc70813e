"""What holds for all tests, and what a run of some of them says at its end."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes says something about the machine, not about the code.
settings.register_profile("postertui", deadline=None)
settings.load_profile("postertui")

#: Folders whose tests start processes, an app or TensorFlow: seconds each, minutes together.
PROCESS_FOLDERS = {"cli", "dashboard", "e2e", "ray", "supervisor", "training"}

ROOT = Path(__file__).parent

_STARTED = time.monotonic()
_left_out: set[str] = set()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        module = item.getparent(pytest.Module)
        starts_processes = module is not None and hasattr(module.obj, "subprocess")
        if starts_processes or PROCESS_FOLDERS & set(item.path.relative_to(ROOT).parts):
            item.add_marker("process")


@pytest.fixture
def heeded_hangups() -> Iterator[None]:
    """Programs that the test starts heed a SIGHUP, below `nohup` too, which has it ignored."""
    handler = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, handler)


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    _left_out.update(item.nodeid for item in items)


def pytest_sessionfinish(session: pytest.Session) -> None:
    # A worker of pytest-xdist hands over what it left out; each leaves out the same.
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["left_out"] = sorted(_left_out)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: object) -> None:
    _left_out.update(getattr(node, "workeroutput", {}).get("left_out", ()))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was left out, so that `make fast` is not taken for `make test`."""
    if not _left_out:
        return
    paths = [name.partition("::")[0].split("/")[1:] for name in _left_out]
    folders = Counter(path[0] if len(path) > 1 else "tests" for path in paths)
    parts = ", ".join(f"{count} of {folder}" for folder, count in folders.most_common())
    seconds = time.monotonic() - _STARTED
    terminalreporter.write_line(f"{seconds:.0f} s; left out {len(_left_out)} tests: {parts}")
