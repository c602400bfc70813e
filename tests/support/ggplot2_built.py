"""What plotnine built from a figure, in the form in which ggplot2's built data is kept.

`NAME.json` has the panels, scales and titles, `NAME.layers.csv` every mark. `differences` holds
the two against each other; it looks at plotnine's built plot and at nothing of ours.
"""

from __future__ import annotations

import copy
import csv
import json
import math
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import plotnine

#: Positions agree to nine decimals.
TOLERANCE = 5e-10
#: plotnine's size of ggplot2's lines, which are .5 mm wide.
LINE_SIZE = 0.602
#: ggplot2's `dashed`, in line widths.
DASHED = (0, (4, 4))
#: What jitter moves; everything else of such a figure is held to.
JITTERED = frozenset({"x"})


def read_reference(
    folder: Path | zipfile.Path, name: str
) -> tuple[dict[str, Any], list[dict[str, str]]]:
    """What ggplot2 built: the panels and scales, and the marks."""
    record: dict[str, Any] = json.loads((folder / f"{name}.json").read_text())
    with (folder / f"{name}.layers.csv").open() as lines:
        return record, list(csv.DictReader(lines))


def build(plot: plotnine.ggplot) -> Any:
    """`plot` built as for drawing."""
    built: Any = copy.deepcopy(plot)
    built._build()
    return built


def differences(
    plot: plotnine.ggplot, record: dict[str, Any], marks: list[dict[str, str]]
) -> list[str]:
    """Where what plotnine builds of `plot` is not what ggplot2 built. Empty: they are equal."""
    built = build(plot)
    jittered = any(mark["geom"] == "point" for mark in marks)
    differences = list(_unlike(_describe(built), _expected(record), "", jittered))
    return differences + list(_unlike_marks(built, marks, jittered))


def _describe(built: Any) -> dict[str, Any]:
    theme = built.theme
    layout = built.layout.layout
    strips = list(record_variables(built))
    panels = [
        {
            "panel": int(row["PANEL"]),
            "row": int(row["ROW"]),
            "col": int(row["COL"]),
            "strip": {name: str(row[name]) for name in strips},
            "x": _axis(params.x),
            "y": _axis(params.y),
        }
        for (_, row), params in zip(layout.iterrows(), built.layout.panel_params, strict=True)
    ]
    scales = {
        _spelled(scale.aesthetics[0]): {
            "limits": list(scale.final_limits),
            "labels": list(scale.get_labels()),
            "values": [_letter(v) for v in scale.map(scale.final_limits)],
            "title": scale.name or getattr(built.labels, scale.aesthetics[0]),
        }
        for scale in built.scales.non_position_scales()
    }
    size = theme.getp("figure_size")
    return {
        "width": size[0],
        "height": size[1],
        "dpi": theme.getp("dpi"),
        "facet": type(built.facet).__name__.removeprefix("facet_").title(),
        "facet_vars": strips,
        "title": built.labels.title,
        "x": built.labels.x,
        "y": built.labels.y,
        "panels": panels,
        "scales": scales,
    }


def record_variables(built: Any) -> list[str]:
    """The facet variables, rows before columns."""
    placing = {"PANEL", "ROW", "COL", "SCALE_X", "SCALE_Y", "AXIS_X", "AXIS_Y"}
    return [name for name in built.layout.layout.columns if name not in placing]


def _expected(record: dict[str, Any]) -> dict[str, Any]:
    titles = record["labels"]
    scales = {
        scale["aesthetics"][0]: {
            "limits": scale["limits"],
            "labels": scale["labels"],
            "values": scale["values"],
            "title": titles[scale["aesthetics"][0]],
        }
        for scale in record["scales"]
    }
    kept = ("width", "height", "dpi", "facet", "facet_vars", "panels")
    return {
        **{key: record[key] for key in kept},
        **{key: titles[key] for key in ("title", "x", "y")},
        "scales": scales,
    }


def _axis(view: Any) -> dict[str, Any]:
    return {
        "range": list(view.range),
        "limits": list(view.limits),
        "breaks": list(view.breaks),
        "minor_breaks": list(view.minor_breaks),
        "labels": list(view.labels),
    }


def _spelled(aesthetic: str) -> str:
    return {"color": "colour"}.get(aesthetic, aesthetic)


def _letter(value: str) -> str:
    return value.removeprefix(r"$\mathrm{").removesuffix("}$")


def _unlike(found: Any, wanted: Any, where: str, jittered: bool) -> Iterator[str]:
    if isinstance(wanted, dict):
        if not isinstance(found, dict) or found.keys() != wanted.keys():
            yield f"{where}: {found} for {wanted}"
            return
        for key, value in wanted.items():
            if not (jittered and where.endswith(".x") and key in ("range", "limits")):
                yield from _unlike(found[key], value, f"{where}.{key}", jittered)
    elif isinstance(wanted, list):
        if len(found) != len(wanted):
            yield f"{where}: {found} for {wanted}"
            return
        for place, (a, b) in enumerate(zip(found, wanted, strict=True)):
            yield from _unlike(a, b, f"{where}[{place}]", jittered)
    elif not _is_same(found, wanted):
        yield f"{where}: {found!r} for {wanted!r}"


def _is_same(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, int | float):
        return math.isclose(float(found), wanted, rel_tol=0, abs_tol=TOLERANCE)
    return bool(found == wanted)


def _unlike_marks(built: Any, marks: list[dict[str, str]], jittered: bool) -> Iterator[str]:
    """Marks in drawing order: by layer, by panel, and within one in the data's order."""
    layers = list(built.layers)
    if len(layers) != len({mark["layer"] for mark in marks}):
        yield f"{len(layers)} layers"
        return
    for number, layer in enumerate(layers, 1):
        expected_marks = [mark for mark in marks if mark["layer"] == str(number)]
        expected_marks.sort(key=lambda mark: int(mark["PANEL"]))
        geom = type(layer.geom).__name__.removeprefix("geom_")
        data: pd.DataFrame = layer.data.sort_values("PANEL", kind="stable")
        if geom != expected_marks[0]["geom"] or len(data) != len(expected_marks):
            expected_text = f"{len(expected_marks)} of {expected_marks[0]['geom']}"
            yield f"layer {number}: {len(data)} marks of {geom} for {expected_text}"
            continue
        columns = {name: data[name].tolist() for name in data.columns}
        for place, mark in enumerate(expected_marks):
            actual = {name: values[place] for name, values in columns.items()}
            yield from (
                f"layer {number} mark {place}: {text}"
                for text in _unlike_mark(actual, mark, geom, jittered)
            )


def _unlike_mark(
    found: dict[str, Any], wanted: dict[str, str], geom: str, jittered: bool
) -> Iterator[str]:
    pairs: dict[str, tuple[Any, Any]] = {
        "PANEL": (str(found["PANEL"]), wanted["PANEL"]),
        "group": (str(found["group"]), wanted["group"]),
        "colour": (found["color"], wanted["colour"]),
    }
    if geom == "point":
        pairs["shape"] = (_letter(found["shape"]), wanted["shape"])
    else:
        dash = {"1": "solid", "dashed": DASHED}[wanted["linetype"]]
        pairs["linetype"] = (found["linetype"], dash)
        width = float(wanted["linewidth"]) / 0.5 * LINE_SIZE
        pairs["linewidth"] = (round(found["size"], 6), round(width, 6))
    for name, (a, b) in pairs.items():
        if a != b:
            yield f"{name} {a} for {b}"
    for name in ("yintercept",) if geom == "hline" else ("x", "y"):
        value, reference = float(found[name]), float(wanted[name] or "nan")
        if jittered and name in JITTERED:
            if abs(value - round(reference)) > 0.4 + TOLERANCE:
                yield f"{name} {value} for about {round(reference)}"
        elif not math.isclose(value, reference, rel_tol=0, abs_tol=TOLERANCE) and not (
            math.isnan(value) and math.isnan(reference)
        ):
            yield f"{name} {value} for {reference}"
