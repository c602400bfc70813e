"""Draw a plot of many panels as plotnine draws it, in half the time.

What costs in a figure of a hundred panels are matplotlib's ticks (five artists each, most of them
in panels that show none) and plotnine's data frame per mark. Here grid lines are one collection
per panel, ticks exist where they are seen, and lines are drawn from arrays. The pixels are those
of `plot.draw()`, which a test holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import plotnine
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba
from matplotlib.lines import Line2D
from matplotlib.markers import MarkerStyle
from matplotlib.ticker import NullLocator
from plotnine.scales.scale_shape import FILLED_SHAPES

#: plotnine's line sizes in points.
POINTS = float(np.sqrt(np.pi))
#: Where matplotlib draws grid lines: above a panel's ground, below its marks.
GRID_ORDER = 0.5


def draw_fast(plot: plotnine.ggplot) -> Any:
    """The matplotlib figure of `plot`: facets, linear scales, `theme_gray`; laid out."""
    built: Any = plot
    built.facet.set_limits_breaks_and_labels = partial(_finish_panel, built)
    built.guides._apply_guide_themes = _theme_guides
    for layer in built.layers:
        if draw := _FAST_GEOMS.get(type(layer.geom)):
            layer.geom.draw_layer = partial(draw, layer.geom)
    figure = built.draw()
    # Laid out here once; `savefig` would do so twice and draw everything for it.
    figure.set_dpi(built.theme.getp("dpi"))
    figure.get_layout_engine().execute(figure)
    figure.set_layout_engine(None)
    return figure


def _finish_panel(plot: Any, view: Any, ax: Any) -> None:
    """Limits, grid lines and ticks of one panel: `facet.set_limits_breaks_and_labels`."""
    ax.set_xlim(*view.x.range)
    ax.set_ylim(*view.y.range)
    for kind in ("minor", "major"):
        ax.add_collection(_grid_lines(plot.theme, view, kind), autolim=False)
    place = plot.layout.layout.iloc[plot.axs.index(ax)]
    shown = {"x": place["AXIS_X"], "y": place["AXIS_Y"]}
    for side, axis in (("x", ax.xaxis), ("y", ax.yaxis)):
        # The theme turns grid lines on a dozen times; those of the ticks stay off.
        axis.grid = _leave_off
        scale = getattr(view, side)
        if not shown[side]:
            axis.set_major_locator(NullLocator())
            continue
        axis.set_ticks(scale.breaks, scale.labels)
        margin = plot.theme.get_margin(f"axis_text_{side}").pt
        axis.set_tick_params(which="major", pad=margin.t if side == "x" else margin.r)


def _leave_off(*_: Any, **__: Any) -> None:
    """An axis's method `grid` that does nothing."""


def _grid_lines(theme: Any, view: Any, kind: str) -> LineCollection:
    """The grid lines of a panel across and along it, `major` or `minor`."""
    breaks = {"major": "breaks", "minor": "minor_breaks"}[kind]
    (left, right), (low, high) = view.x.range, view.y.range
    upright = [((x, low), (x, high)) for x in getattr(view.x, breaks)]
    level = [((left, y), (right, y)) for y in getattr(view.y, breaks)]
    style = theme.T[f"panel_grid_{kind}"].properties
    return LineCollection(
        upright + level,
        colors=style["color"],
        linewidths=style["linewidth"],
        capstyle="projecting",
        zorder=GRID_ORDER,
    )


def _theme_guides(guides: Sequence[Any]) -> None:
    """Theme legends, without theming all panels once more for each."""
    for guide in guides:
        guide.theme.axs = []
        guide.theme.apply()


def _draw_lines(geom: Any, data: Any, layout: Any, _: Any) -> None:
    columns = {name: data[name].to_numpy() for name in ("x", "y", "group")}
    style = {name: data[name].tolist() for name in ("color", "alpha", "size", "linetype")}
    for ax, rows in _by_panel(data, layout):
        groups = columns["group"][rows]
        for group in np.unique(groups):
            line = rows[groups == group]
            if len(line) < 2:
                continue
            first = line[0]
            ax.add_artist(
                Line2D(
                    columns["x"][line],
                    columns["y"][line],
                    color=to_rgba(style["color"][first], style["alpha"][first]),
                    linewidth=style["size"][first] * POINTS,
                    linestyle=style["linetype"][first],
                    zorder=geom.params["zorder"],
                    solid_joinstyle=geom.params["linejoin"],
                    solid_capstyle=geom.params["lineend"],
                )
            )


def _draw_hlines(geom: Any, data: Any, layout: Any, _: Any) -> None:
    levels = data["yintercept"].to_numpy()
    style = {name: data[name].tolist() for name in ("color", "alpha", "size", "linetype")}
    views = {id(ax): view for ax, view in zip(layout.axs, layout.panel_params, strict=True)}
    for ax, rows in _by_panel(data, layout):
        left, right = views[id(ax)].x.range
        first = rows[0]
        ax.add_collection(
            LineCollection(
                [((left, y), (right, y)) for y in levels[rows]],
                colors=[to_rgba(style["color"][r], style["alpha"][r]) for r in rows],
                linewidths=style["size"][first] * POINTS,
                linestyles=[style["linetype"][first]],
                zorder=geom.params["zorder"],
            ),
            autolim=False,
        )


def _draw_points(geom: Any, data: Any, layout: Any, _: Any) -> None:
    places = {name: data[name].to_numpy() for name in ("x", "y", "size", "stroke", "shape")}
    style = {name: data[name].tolist() for name in ("color", "fill", "alpha")}
    # A letter's outline is a formula that is typeset: once, not once a panel.
    markers = {shape: MarkerStyle(shape) for shape in np.unique(places["shape"])}
    for ax, rows in _by_panel(data, layout):
        for shape, marker in markers.items():
            points = rows[places["shape"][rows] == shape]
            if not len(points):
                continue
            inks = [(style["color"][p], style["fill"][p], style["alpha"][p]) for p in points]
            has_edge = shape in FILLED_SHAPES
            ax.scatter(
                places["x"][points],
                places["y"][points],
                s=(places["size"] + places["stroke"])[points] ** 2 * np.pi,
                facecolor=[to_rgba(fill or color, alpha) for color, fill, alpha in inks],
                edgecolor=[to_rgba(c, alpha) for c, _, alpha in inks] if has_edge else None,
                linewidth=places["stroke"][points] * POINTS,
                marker=marker,
                zorder=geom.params["zorder"],
                rasterized=geom.params["raster"],
            )


def _by_panel(data: Any, layout: Any) -> Iterator[tuple[Any, npt.NDArray[np.intp]]]:
    """Every panel that has rows: its axes and their places in the data, in order."""
    panels = data["PANEL"].to_numpy().astype(np.intp)
    for panel in np.unique(panels):
        yield layout.axs[panel - 1], np.flatnonzero(panels == panel)


_FAST_GEOMS: dict[type, Callable[..., None]] = {
    plotnine.geom_line: _draw_lines,
    plotnine.geom_hline: _draw_hlines,
    plotnine.geom_point: _draw_points,
}
