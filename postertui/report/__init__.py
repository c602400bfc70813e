"""Figures into a folder, each with the numbers it shows as CSV beside it.

`draw_in_pool(pool, load, ReportRequest(…), out)` is the entry point of the command line, which the
dashboard calls. It imports neither plotnine nor matplotlib until there is something to draw;
figures that are up to date cost a comparison.
"""

from postertui.report.catalogue import FIGURES
from postertui.report.drawing import DrawnFigure, ReportResult, draw_in_pool
from postertui.report.pictures import draw_figure, prepare_pictures
from postertui.report.request import FigureFailure, ReportRequest, describe_command

__all__ = [
    "FIGURES",
    "DrawnFigure",
    "FigureFailure",
    "ReportRequest",
    "ReportResult",
    "describe_command",
    "draw_figure",
    "draw_in_pool",
    "prepare_pictures",
]
