"""Drawing in a process of its own, so that neither the curves nor the keys ever wait for it."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

from postertui.dashboard.figure_export.request import FigureRequest
from postertui.system.errors import UserError
from postertui.system.processes import child_environment


@dataclass(frozen=True)
class ExportedFigure:
    """What was drawn: the images, and the command line that draws them again."""

    paths: tuple[Path, ...]
    command: str
    notes: tuple[str, ...] = ()


class FigureProcess:
    """One figure on its way. `stop` ends it, and nothing half-drawn stays."""

    def __init__(self, request: FigureRequest, runs: Path, out: Path) -> None:
        self.request, self.runs, self.out = request, runs, out
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()
        self._stopped = False

    def draw(self) -> ExportedFigure:
        """Draw and wait for it. Raises `UserError` with what `postertui report` says."""
        words = [*self.request.with_folders(self.runs, self.out), "--json"]
        with self._lock:
            if self._stopped:
                raise UserError("not drawn: stopped")
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "postertui", "report", *words],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                env=child_environment(),
            )
        out, complaints = self._process.communicate()
        if self._process.returncode:
            lines = [line for line in complaints.splitlines() if line.strip()]
            reason = lines[-1].removeprefix("postertui: ") if lines else "no reason given"
            raise UserError(f"no figure: {reason}", exit_code=1)
        drawn = json.loads(out)
        return ExportedFigure(
            paths=tuple(Path(path) for record in drawn for path in record["files"]),
            command=self.request.command(self.runs, self.out),
            notes=(*self.request.lacks, *(n for record in drawn for n in record["notes"])),
        )

    def stop(self) -> None:
        with self._lock:
            self._stopped = True
            process = self._process
        if process is not None and process.poll() is None:
            process.terminate()


def path_of(figure: ExportedFigure) -> str:
    """The images' paths as a shell takes them."""
    return shlex.join(str(path.absolute()) for path in figure.paths)
