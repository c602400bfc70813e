"""A page of a small study, with names that would break a page that does not escape."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
from PIL import Image

from postertui.report.page.content import Page, PageFigure, build_page
from postertui.report.page.provenance import provenance
from tests.support.analysis_tables import history, soft_runs, stack

GENRES = ("Comedy", "Drama", "Horror", "War")
NASTY = "</script><img src=x onerror=alert(1)>"


def study() -> pl.DataFrame:
    """Three variants, four genres, three seeds, and a run that died."""
    rng = np.random.default_rng(0)
    lift = {"base": 0.0, "l2-1e-4": 0.05, NASTY: -0.05}
    level = dict(zip(GENRES, (0.42, 0.45, 0.2, 0.1), strict=True))
    runs = soft_runs(
        [
            (name, genre, seed, level[genre] + by + rng.normal(0, 0.01))
            for name, by in lift.items()
            for genre in GENRES
            for seed in range(3)
        ]
    )
    return stack(runs, history("dead", "War", dead=True))


def figures(folder: Path) -> list[PageFigure]:
    """Two images: one on white, one with nothing behind it."""
    folder.mkdir(parents=True, exist_ok=True)
    problems = []
    for name, colour in (("base", (255, 255, 255, 255)), ("l1", (0, 0, 0, 0))):
        image = Image.new("RGBA", (640, 300), colour)
        image.paste((200, 30, 30, 255), (20, 20, 320, 200))
        image.save(folder / f"{name}.png")
        problems.append(
            PageFigure(name, f"A <b>{name}</b>", folder / f"{name}.png", folder / f"{name}.csv")
        )
    return problems


def make_page(folder: Path) -> Page:
    table = study()
    return build_page(
        table,
        title=f"a study of {NASTY}",
        figures=figures(folder),
        provenance=provenance(table, origin="runs", commands=["postertui report --all --html"]),
    )
