"""What curves are compared with where differences to the reference are shown."""

from __future__ import annotations

from dataclasses import dataclass

from postertui.dashboard.state.run_view import RunView


@dataclass(frozen=True)
class DeltaBasis:
    """The reference's `runs` of a genre, and the noise of differences to them.

    `noise` is half of the 95 % interval of a difference, as `compare` gives it; None where it is
    unknown.
    """

    runs: tuple[RunView, ...] = ()
    noise: float | None = None
