"""The fifteen figures of the 2017 study by their names: rows, panels, titles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import polars as pl

from postertui.figures.curves import draw_curves
from postertui.figures.options import FigureOptions
from postertui.figures.picture import Axis, Hidden, Picture
from postertui.figures.source import FigureSource
from postertui.figures.strips import draw_letters, draw_strip
from postertui.system.errors import UserError

#: What the study compared in panels: figure to the families beside base, and the column across.
GRIDS: dict[str, tuple[tuple[str, ...], str]] = {
    "l1": (("regularizer", "regularizer L1"), "Regularizer"),
    "l2": (("regularizer", "regularizer L2"), "Regularizer"),
    "loss": (("BCE loss", "BCE loss No Reg"), "variant"),
    "learning-rate": (("LR decay", "Reduce LR on Plateau"), "variant"),
    "scratch": (("scratch",), "variant"),
    "frozen-layers": (("VGG w/16 frozen layers", "VGG w/17 frozen layers"), "variant"),
}

#: What it compared within panels: figure to its title and settings.
STRIPS: dict[str, tuple[str, tuple[str, ...]]] = {
    "test-regularization": (
        "Comparing Regularization in CNN",
        (
            "base",
            "regularizer NoReg",
            "regularizer L1 L1=1e-4",
            "regularizer L1 L1=1e-6",
            "regularizer L2 L2=1e-4",
            "regularizer L2 L2=1e-5",
            "regularizer L2 L2=1e-6",
        ),
    ),
    "test-learning-rate": (
        "Comparing Learning Rate in CNN",
        ("base", "LR decay", "Reduce LR on Plateau"),
    ),
    "test-fc": (
        "Comparing FC Size in CNN",
        (
            "base",
            "FC 1024x256",
            "FC 1024x64",
            "FC 256x1024",
            "FC 256x4",
            "FC 256x64",
            "FC 4096x4096",
        ),
    ),
    "test-frozen-layers": (
        "Comparing Unfreezing layers in CNN",
        ("base", "VGG w/17 frozen layers", "VGG w/16 frozen layers"),
    ),
    "test-loss": (
        "Comparing Loss Functions in CNN",
        ("base", "BCE loss", "BCE loss No Reg"),
    ),
}

LONG_RUN = "100 epochs Reduce LR on Plateau"
LAST_EPOCH = 10
#: Above this train base rate a genre is in the test strips.
FREQUENT = 0.05

PUBLISHED_X = Axis("epoch", breaks=(0, 2, 4, 6, 8, 10))
_GRID_LIMITS, _GRID_BREAKS = (0.0, 0.6), (0.0, 0.5)
_HAS_BASE_SIZES = (pl.col("FC1") == 256) & (pl.col("FC2") == 256)
_IS_BASE = pl.col("variant") == "base"
_IS_SHORT = pl.col("epoch") <= LAST_EPOCH


def published_names() -> tuple[str, ...]:
    """The names of the fifteen, in the order of the study."""
    return tuple(_FIGURES)


def draw_published(name: str, source: FigureSource, options: FigureOptions) -> Picture:
    """The figure of the 2017 study that is called `name`, from whatever table.

    Raises
    ------
    UserError
        For an unknown name, and with exit code 3 where the table has no row for it.
    """
    if name not in _FIGURES:
        raise UserError(f"figure `{name}`: there are {', '.join(_FIGURES)}")
    return _FIGURES[name](name, source, options)


def grid_axis(options: FigureOptions) -> Axis:
    """The vertical axis of grids: F from 0 to .6, or whatever another metric has."""
    if options.is_fscore:
        return Axis(options.metric_label, _GRID_LIMITS, _GRID_BREAKS)
    return Axis(options.metric_label)


def _base(name: str, source: FigureSource, options: FigureOptions) -> Picture:
    rows = _pick(name, source, _IS_BASE & _HAS_BASE_SIZES & (pl.col("Regularizer") == "L1=1e-5"))
    epochs = LAST_EPOCH if options.strict else max(rows["epoch"].to_list())
    return draw_curves(
        source,
        rows,
        options,
        name=name,
        title=f"F-Score over {epochs} epochs; FC1=256 FC2=256 L1=1e-5",
        down=(),
        columns=("genre",),
        wrap=True,
        x=_epochs_axis(rows, options),
    )


def _grid(name: str, source: FigureSource, options: FigureOptions) -> Picture:
    families, across = GRIDS[name]
    rows = _pick(name, source, _HAS_BASE_SIZES & pl.col("variant").is_in([*families, "base"]))
    if not set(rows["variant"].to_list()) & set(families):
        raise _nothing(name, f"none of the variants {', '.join(families)}")
    rows = common_genres(name, source, rows)
    return draw_curves(
        source,
        rows,
        options,
        name=name,
        title=f"Comparing F-Score per {across}",
        columns=(across,),
        x=_epochs_axis(rows, options),
        y=grid_axis(options),
    )


def _fc(name: str, source: FigureSource, options: FigureOptions) -> Picture:
    rows = _pick(name, source, _IS_BASE)
    short = _short(name, rows)
    picture = draw_curves(
        source,
        short,
        options,
        name=name,
        title="Comparing F-Score per FC1 + FC2",
        columns=("FC1", "FC2"),
        baseline_genres=[g for g in sorted(set(short["genre"])) if source.is_common(g)],
        x=PUBLISHED_X,
        y=grid_axis(options),
    )
    return _with_late(picture, rows, ("Test", "Train"))


def _fc_points(name: str, source: FigureSource, options: FigureOptions) -> Picture:
    metric = f"test_{options.metric}"
    defined = source.table.filter(pl.col(metric) > 0)["genre"].unique().to_list()
    rows = _pick(name, source, _IS_BASE & pl.col("genre").is_in(defined))
    short = _short(name, rows).with_columns(pl.format("{} {}", "FC1", "FC2").alias("series"))
    picture = draw_letters(
        source,
        short,
        options,
        name=name,
        title="Comparing Test F-Score per FC sizes",
        legend="paste(FC1, FC2)" if options.strict else "FC1 FC2",
        baseline_genres=[g for g in source.table["genre"].unique() if source.is_common(g)],
        x=PUBLISHED_X,
        y=grid_axis(options),
    )
    return _with_late(picture, rows, ("Test",))


def _long_run(name: str, source: FigureSource, options: FigureOptions) -> Picture:
    rows = _pick(name, source, pl.col("variant") == LONG_RUN)
    return draw_curves(
        source,
        rows,
        options,
        name=name,
        title="Allowing to run for 100 epochs, with Reduce LR on Plateau",
        down=(),
        columns=("genre",),
        x=Axis("epoch", breaks=(0, 20, 40, 60, 80, 100)),
        y=Axis(options.metric_label, (0.0, 1.0), (0.0, 0.5, 1.0)),
        size=(6.5, 4.5),
    )


def _strip(name: str, source: FigureSource, options: FigureOptions) -> Picture:
    title, settings = STRIPS[name]
    frequent = [
        g
        for g in source.table["genre"].unique()
        if g not in source.rates or source.rates[g][0] > FREQUENT
    ]
    setting = (
        pl.when(~_HAS_BASE_SIZES)
        .then(pl.format("FC {}x{}", "FC1", "FC2"))
        .when(pl.col("variant").str.starts_with("regularizer"))
        .then(pl.format("{} {}", "variant", "Regularizer"))
        .otherwise("variant")
    )
    rows = source.table.filter(
        (_HAS_BASE_SIZES | _IS_BASE) & pl.col("genre").is_in(frequent)
    ).with_columns(setting.alias("series"))
    rows = rows.filter(pl.col("series").is_in(settings))
    if not set(rows["series"].to_list()) - {"base"}:
        raise _nothing(
            name, f"none of the settings {', '.join(s for s in settings if s != 'base')}"
        )
    return _with_late(
        draw_strip(
            source,
            _short(name, rows),
            options,
            name=name,
            title=title,
            x=Axis("epoch", limits=(0.0, 10.0), breaks=(5, 10)),
            legend="varReg" if options.strict else "setting",
        ),
        rows,
        ("Test",),
    )


def common_genres(name: str, source: FigureSource, rows: pl.DataFrame) -> pl.DataFrame:
    """`rows` without genres too rare to compare."""
    genres = [g for g in rows["genre"].unique() if source.is_common(g)]
    rows = rows.filter(pl.col("genre").is_in(genres))
    if rows.is_empty():
        raise _nothing(name, "only genres too rare to compare")
    return rows


def _pick(name: str, source: FigureSource, wanted: pl.Expr) -> pl.DataFrame:
    rows = source.table.filter(wanted)
    if rows.is_empty():
        raise _nothing(name, "no run of the variants it shows")
    return rows


def _epochs_axis(rows: pl.DataFrame, options: FigureOptions) -> Axis | None:
    """R's axis; the usual one where runs of one's own went on for longer."""
    is_longer = rows.filter(~_IS_SHORT).height > 0
    return None if is_longer and not options.strict else PUBLISHED_X


def _short(name: str, rows: pl.DataFrame) -> pl.DataFrame:
    short = rows.filter(_IS_SHORT)
    if short.is_empty():
        raise _nothing(name, f"no epoch up to {LAST_EPOCH} of the variants it shows")
    return short


def _nothing(name: str, reason: str) -> UserError:
    return UserError(f"figure {name}: the table has {reason}", exit_code=3)


def _with_late(picture: Picture, rows: pl.DataFrame, splits: Sequence[str]) -> Picture:
    """`picture` that also counts the epochs after the last one shown."""
    late = len(rows.filter(~_IS_SHORT))
    if not late:
        return picture
    counts = tuple(Hidden(split, f"after epoch {LAST_EPOCH}", late) for split in splits)
    return replace(picture, hidden=picture.hidden + counts)


_FIGURES: dict[str, Callable[[str, FigureSource, FigureOptions], Picture]] = {
    "base": _base,
    "fc": _fc,
    "fc-points": _fc_points,
    "l1": _grid,
    "l2": _grid,
    "loss": _grid,
    "learning-rate": _grid,
    "long-run": _long_run,
    "scratch": _grid,
    "frozen-layers": _grid,
    **dict.fromkeys(STRIPS, _strip),
}
