"""A drawn figure as bytes: the same input gives the same bytes, in every format."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl

from postertui.figures.files import DPI, Format
from postertui.figures.fonts import FONT
from postertui.figures.picture import Picture
from postertui.figures.quick import draw_fast
from postertui.figures.render import to_ggplot

#: What would otherwise differ from machine to machine or from day to day.
RC_PARAMS: dict[Any, Any] = {
    "svg.hashsalt": "postertui",
    "svg.fonttype": "path",
    "pdf.fonttype": 42,
    "font.family": FONT,
    "savefig.bbox": None,
}


def render_bytes(
    picture: Picture,
    formats: Sequence[Format],
    facts: Mapping[str, str],
    dpi: int = DPI,
) -> dict[Format, bytes]:
    """The picture in each of `formats`. `facts` (title, command, versions …) go into the file.

    Drawn once, written once per format. Dates are left out, and so are a user's own settings of
    matplotlib: the same input gives the same bytes.
    """
    with mpl.rc_context(), warnings.catch_warnings():
        mpl.rcdefaults()
        mpl.rcParams.update(RC_PARAMS)
        # plotnine says in warnings what `Picture.hidden` counts.
        warnings.simplefilter("ignore")
        figure = draw_fast(to_ggplot(picture, dpi))
        files: dict[Format, bytes] = {}
        for kind in formats:
            buffer = io.BytesIO()
            figure.savefig(buffer, format=kind, dpi=dpi, metadata=_metadata(kind, facts))
            files[kind] = buffer.getvalue()
    return files


def _metadata(kind: Format, facts: Mapping[str, str]) -> dict[str, str | None]:
    text = "; ".join(f"{k}: {v}" for k, v in facts.items() if k != "Title")
    match kind:
        case "png":
            return {"Software": "postertui", **facts}
        case "svg":
            return {"Date": None, "Title": facts.get("Title"), "Description": text}
        case "pdf":
            return {
                "CreationDate": None,
                "Title": facts.get("Title"),
                "Subject": text,
                # ASCII whatever encoding the rest has, so that `read_digest` finds it.
                "Keywords": f"Digest: {facts.get('Digest')}",
                "Creator": "postertui",
                "Producer": None,
            }
