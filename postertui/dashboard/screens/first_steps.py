"""The first steps, shown where there is nothing to draw yet."""

from __future__ import annotations

from pathlib import Path

from postertui.dashboard.setup import Setup

_GPU = Path("/dev/nvidiactl")
_NO_GPU = "No GPU here: training uses the CPU, several runs at a time."


def first_steps(setup: Setup, *, gpu: bool | None = None) -> tuple[str, ...]:
    """For a folder without runs: with data and without, with a GPU and without."""
    data = setup.data
    has_data = (data / "dataset.json").exists() or any(data.glob("genre_cohorts_*x.npy"))
    has_gpu = _GPU.exists() if gpu is None else gpu
    device = () if has_gpu else ("", _NO_GPU)
    follow = f"Fills by itself as runs appear in {setup.runs_shown}."
    if not has_data:
        return (
            "Nothing here yet.",
            "",
            "Try it out          postertui demo",
            "Use your posters    postertui data build \\",
            "                      --posters DIR --labels FILE.csv",
            "Look at old results postertui import PATH",
            *device,
            "",
            follow,
        )
    if setup.read_only:
        return ("The data is ready; nothing has been trained yet.", "", follow)
    return (
        "The data is ready; nothing has been trained yet.",
        "",
        "n  chooses a study, its variants, genres and seeds,",
        "   and says how long they will take before it starts.",
        f"   Or from a shell: postertui train --study {setup.study}",
        *device,
        "",
        follow,
    )
