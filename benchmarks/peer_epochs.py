"""How soon each program shows an epoch that was just written, beside the finished runs."""

from __future__ import annotations

import random
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import peer_leet
from benchmarks.dashboard_live import LiveRuns
from benchmarks.peer_tensorboard import TAG, TensorBoard
from postertui.history.tensorboard import frame_record, load_protocol
from postertui.runs.events import encode_event
from postertui.runs.layout import EVENTS
from tests.support.terminal import Terminal

ROOT = Path(__file__).resolve().parents[1]
#: Epochs before, and epochs that are timed.
BEFORE, TIMED = 20, 5


def postertui(runs: Path, home: Path) -> list[float]:
    """The dashboard, where the newest score stands above the base's curve."""
    live = LiveRuns(runs, 1, 1, epochs=BEFORE + TIMED)

    def write(epoch: int) -> None:
        fields = {"epoch": epoch, "dead": False, "seconds": 0.1, "learning_rate": 1e-3}
        fields |= {"test_fscore": epoch / 100, "test_fscore_soft": epoch / 100, "test_loss": 0.5}
        with (runs / live.names[0] / EVENTS).open("ab") as file:
            file.write(encode_event(epoch, 1, "epoch", fields, time.time()))

    try:
        for epoch in range(1, BEFORE + 1):
            write(epoch)
        with Terminal(home, environment={"PYTHONPATH": str(ROOT)}) as terminal:
            terminal.run(sys.executable, "-m", "postertui", "--runs", str(runs))

            def is_shown(epoch: int) -> bool:
                score = f"{epoch / 100:.3f}".removeprefix("0")
                lines = terminal.screen().split("\n")
                return any(line.startswith(" base ") and score in line for line in lines)

            _wait(is_shown, BEFORE)
            return _time_epochs(write, is_shown)
    finally:
        live.close()


def tensorboard(events: Path) -> list[float]:
    """TensorBoard's data service."""
    protocol, _ = load_protocol(str(events))
    path = events / "live" / "events.out.tfevents.0.live"
    path.parent.mkdir(parents=True, exist_ok=True)

    def write(epoch: int) -> None:
        event = protocol.Event(wall_time=time.time(), step=epoch)
        event.summary.value.add(tag=TAG, simple_value=epoch / 100)
        with path.open("ab") as file:
            file.write(frame_record(event.SerializeToString()))

    version = protocol.Event(wall_time=0.0, file_version="brain.Event:2")
    path.write_bytes(frame_record(version.SerializeToString()))
    for epoch in range(1, BEFORE + 1):
        write(epoch)
    with TensorBoard(events) as server:

        def is_shown(epoch: int) -> bool:
            server.check(300)
            return server.points(["live"]).get("live") == epoch

        _wait(is_shown, BEFORE)
        return _time_epochs(write, is_shown)


def leet(python: str, folder: Path, home: Path) -> list[float]:
    """LEET, where the overview of the latest run names its last step."""
    with peer_leet.Writer(python, folder) as writer:

        def write(epoch: int) -> None:
            writer.write("live+", [{TAG: epoch / 100, "epoch": epoch}])

        for epoch in range(1, BEFORE + 1):
            write(epoch)
        time.sleep(2)  # until its library has written the file
        with Terminal(home, environment={**peer_leet.ENVIRONMENT, "HOME": str(home)}) as terminal:
            terminal.run(*peer_leet.command(python, folder))

            def is_shown(epoch: int) -> bool:
                return bool(re.search(rf"\bepoch +{epoch}\b", terminal.screen()))

            _wait(is_shown, BEFORE)
            return _time_epochs(write, is_shown)


def _time_epochs(write: Callable[[int], None], is_shown: Callable[[int], bool]) -> list[float]:
    """Seconds from each writing until it is shown, at irregular intervals."""
    pause = random.Random(0)
    delays = []
    for epoch in range(BEFORE + 1, BEFORE + TIMED + 1):
        time.sleep(pause.uniform(0.5, 3))
        began = time.monotonic()
        write(epoch)
        _wait(is_shown, epoch)
        delays.append(time.monotonic() - began)
    return delays


def _wait(is_shown: Callable[[int], bool], epoch: int, patience: float = 60.0) -> None:
    deadline = time.monotonic() + patience
    while not is_shown(epoch):
        if time.monotonic() > deadline:
            raise TimeoutError(f"epoch {epoch} was not shown within {patience:g} s")
        time.sleep(0.02)
