"""From a `Picture` to a `plotnine.ggplot` whose built data are ggplot2's."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pandas as pd
import plotnine
import polars as pl
from mizani.breaks import breaks_extended

from postertui.figures.files import DPI
from postertui.figures.fonts import FONT, choose_fonts
from postertui.figures.picture import Axis, Layer, Picture

p9: Any = plotnine

#: plotnine's size of a line as wide as R's 0.5: 1.07 pt.
LINE = 0.602
#: R's point of size 1.5 with a stroke of 0.5 is a letter of this size; a dot is smaller.
LETTER, DOT = 2.2, 1.3
#: The size of a note's letters in points.
NOTE = 4.5

#: What marks measure, and those marks that measure from left to right.
_ALONG = ("value", "low", "high")
_LYING = ("vline", "dot", "span")

#: Marks with an area, filled in their series' colour.
FILLED = ("ribbon", "bar", "tile")
#: How wide a bar is along the axis.
BAR_WIDTH = 0.09

_STRIP_WIDTH = 14
#: A longer word is broken; more lines are cut.
_LONG_WORD = 24
_STRIP_LINES = 5
#: Longer names of a legend or a list are cut.
_MAX_NAME = 60
_CAPTION_SIZE = 7.5
#: How many letters of a caption fit into an inch, beside the legend.
_CAPTION_LETTERS = 11


def to_ggplot(picture: Picture, dpi: int = DPI) -> plotnine.ggplot:
    """The picture as a plot, with its size and resolution in its theme."""
    levels = {**picture.facets.levels, "series": list(picture.colours)}
    plot = p9.ggplot()
    for layer in picture.layers:
        plot += _to_geom(layer, levels, picture.y)
    plot += _to_facets(picture)
    plot += _to_scale(picture.x, p9.scale_x_continuous, _extent(picture, "x"))
    plot += _to_scale(picture.y, p9.scale_y_continuous, _extent(picture, "y"))
    series = list(picture.colours)
    scale: dict[str, Any] = {"limits": series, "name": picture.legend, "labels": _plain_all(series)}
    if any("series" in layer.data.columns for layer in picture.layers):
        colours = list(picture.colours.values())
        plot += p9.scale_color_manual(values=colours, **scale)
        if any(layer.geom in FILLED for layer in picture.layers):
            plot += p9.scale_fill_manual(values=colours, **scale)
    if any(layer.geom == "tile" for layer in picture.layers):
        plot += p9.scale_alpha_identity()
    if picture.letters:
        shapes = [rf"$\mathrm{{{letter}}}$" for letter in picture.letters.values()]
        plot += p9.scale_shape_manual(values=shapes, **scale)
    plot += p9.labs(title=_plain(picture.title), x=picture.x.label, y=picture.y.label)
    if picture.colours:
        titles = ("color", "shape") if picture.letters else ("color",)
        plot += p9.labs(**dict.fromkeys(titles, picture.legend))
    if picture.caption:
        width = int(_CAPTION_LETTERS * picture.size[0])
        plot += p9.labs(caption="\n".join(textwrap.wrap(picture.caption, width)))
    plot += _theme(picture, dpi)
    assert isinstance(plot, plotnine.ggplot)
    return plot


def _to_geom(layer: Layer, levels: Any, y: Axis) -> Any:
    columns = [c for c in layer.data.columns if c != "visibility"]
    data = _to_pandas(layer.data.select(columns), levels)
    mapping = {"color": "series"} if "series" in columns else {}
    constant: dict[str, Any] = {} if layer.colour is None else {"color": layer.colour}
    if layer.opacity != 1:
        constant["alpha"] = layer.opacity
    if layer.dash is not None:
        constant["linetype"] = (0, layer.dash)
    if "history" in columns and layer.geom == "line":
        mapping["group"] = "line"
        data["line"] = data["series"].astype(str) + " " + data["history"].astype(str)
    if y.labels and "label" in columns:
        data["place"] = data["label"].map({name: i for i, name in enumerate(y.labels, 1)})
    place = {"x": "epoch", "y": "value"}
    match layer.geom:
        case "line" if len(data) == 1:
            # No line, and more than plotnine can take; its panel and place on the axes stay.
            return p9.geom_blank(p9.aes(**place, **mapping), data, show_legend=True)
        case "line":
            return p9.geom_line(
                p9.aes(**place, **mapping), data, size=LINE * layer.weight, na_rm=True, **constant
            )
        case "hline":
            # A dash given as a tuple reaches the lines whole only where aesthetics are inherited.
            return p9.geom_hline(
                p9.aes(yintercept="value", **mapping),
                data,
                size=LINE * layer.weight,
                inherit_aes=True,
                **constant,
            )
        case "vline":
            return p9.geom_vline(
                p9.aes(xintercept="value", **mapping),
                data,
                size=LINE * layer.weight,
                inherit_aes=True,
                **constant,
            )
        case "dot":
            return p9.geom_point(
                p9.aes(x="value", y="place", **mapping),
                data,
                size=DOT * layer.weight,
                stroke=0,
                **constant,
            )
        case "span":
            return p9.geom_segment(
                p9.aes(x="low", xend="high", y="place", yend="place", **mapping),
                data,
                size=LINE * layer.weight,
                show_legend=False,
                **constant,
            )
        case "point":
            return p9.geom_point(
                p9.aes(**place, **mapping), data, size=DOT, stroke=0, show_legend=False, **constant
            )
        case "letter":
            return p9.geom_point(
                p9.aes(**place, **mapping, shape="series"),
                data,
                size=LETTER,
                stroke=0,
                na_rm=True,
                **constant,
            )
        case "ribbon":
            return p9.geom_ribbon(
                p9.aes(x="epoch", ymin="low", ymax="high", fill="series"),
                data,
                show_legend=False,
                **constant,
            )
        case "note" | "text":
            return p9.geom_text(
                p9.aes(**place, label="label"),
                data,
                size=NOTE * layer.weight,
                va="top" if layer.geom == "note" else "center",
                show_legend=False,
                **constant,
            )
        case "bar":
            return p9.geom_col(
                p9.aes(**place, **_as_fill(mapping)),
                data,
                width=BAR_WIDTH,
                show_legend=False,
                **_as_fill(constant),
            )
        case "tile":
            return p9.geom_tile(
                p9.aes(**place, alpha="opacity", **_as_fill(mapping)),
                data,
                show_legend=False,
                **_as_fill(constant),
            )


def _as_fill(looks: dict[str, Any]) -> dict[str, Any]:
    """The same looks for what has an area: the colour fills it."""
    return {"fill" if name == "color" else name: value for name, value in looks.items()}


def _to_pandas(data: pl.DataFrame, levels: Any) -> pd.DataFrame:
    """As pandas has it without pyarrow; columns in `levels` become categories in their order."""
    columns: dict[str, Any] = {}
    for name in data.columns:
        values = data[name]
        if name in levels:
            columns[name] = pd.Categorical(values.to_list(), categories=list(levels[name]))
        elif values.dtype == pl.String:
            columns[name] = pd.Series(values.to_list(), dtype=object)
        else:
            columns[name] = values.to_numpy()
    return pd.DataFrame(columns)


def _to_facets(picture: Picture) -> Any:
    facets = picture.facets
    if facets.wrap:
        return p9.facet_wrap(list(facets.columns), labeller=_labeller(picture))
    return p9.facet_grid(list(facets.rows), list(facets.columns), labeller=_labeller(picture))


def _labeller(picture: Picture) -> Any:
    if picture.strict:
        return p9.labeller(default=_plain)
    return p9.labeller(default=_wrap_label)


def _wrap_label(text: str) -> str:
    """`text` in lines that fit a strip; a very long one is cut."""
    is_long = any(len(word) > _LONG_WORD for word in str(text).split())
    lines = textwrap.wrap(
        str(text),
        _STRIP_WIDTH,
        break_long_words=is_long,
        max_lines=_STRIP_LINES,
        placeholder=" …",
    )
    return _plain("\n".join(lines) or str(text))


def _plain(text: object) -> str:
    """`text` with its dollars as dollars: matplotlib takes what is between two for mathematics."""
    return str(text).replace("$", r"\$")


def _plain_all(texts: Iterable[str]) -> list[str]:
    """Names for a legend or a list; a very long one is cut."""
    return [_plain(t if len(t) <= _MAX_NAME else f"{t[: _MAX_NAME - 1]}…") for t in texts]


def _extent(picture: Picture, side: str) -> tuple[float, float]:
    """The smallest and largest position of any mark, as ggplot2 trains a scale without limits."""
    if side == "y" and picture.y.labels:
        return 1.0, float(len(picture.y.labels))
    values = [
        v
        for layer in picture.layers
        for name in (_ALONG if (side == "x") == (layer.geom in _LYING) else ("epoch",))
        if name in layer.data.columns
        for v in layer.data[name].drop_nulls().to_list()
    ]
    return (min(values), max(values)) if values else (0.0, 1.0)


def _to_scale(axis: Axis, scale: Callable[..., Any], extent: tuple[float, float]) -> Any:
    low, high = axis.limits or extent
    if axis.labels:
        places = list(range(1, len(axis.labels) + 1))
        return scale(
            breaks=places, labels=_plain_all(axis.labels), minor_breaks=[], expand=(0, 0.7)
        )
    room = 0.05 * (high - low)
    breaks = axis.breaks
    if breaks is None:
        breaks = tuple(float(b) for b in breaks_extended(n=5)((low - room, high + room)))
    inside = [b for b in minor_breaks(breaks, (low, high)) if low - room <= b <= high + room]
    extra = {} if axis.limits is None else {"limits": axis.limits}
    return scale(breaks=list(breaks), minor_breaks=inside, **extra)


def minor_breaks(breaks: Sequence[float], limits: tuple[float, float]) -> list[float]:
    """R's `scales::regular_minor_breaks`: the breaks and the middles between them.

    One step is added on a side where `limits` reach beyond the breaks.
    """
    if len(breaks) < 2:
        return []
    step = breaks[1] - breaks[0]
    ends = list(breaks)
    if limits[0] < ends[0]:
        ends.insert(0, ends[0] - step)
    if limits[1] > ends[-1]:
        ends.append(ends[-1] + step)
    middles = [(a + b) / 2 for a, b in itertools.pairwise(ends)]
    return sorted([*ends, *middles])


def _theme(picture: Picture, dpi: int) -> Any:
    families = list(choose_fonts(picture.texts).families)
    text = p9.element_text(family=families if len(families) > 1 else FONT)
    parts: dict[str, Any] = {
        "figure_size": picture.size,
        "dpi": dpi,
        "text": text,
        "plot_title": p9.element_text(ha="left"),
        "plot_caption": p9.element_text(size=_CAPTION_SIZE, color="#4D4D4D"),
    }
    if not picture.legend:
        parts["legend_title"] = p9.element_blank()
    if picture.facets.rows or picture.letters:
        parts["strip_text_y"] = p9.element_text(angle=0)
    return p9.theme_gray() + p9.theme(**parts)
