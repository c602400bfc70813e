"""Figures into a folder, each with the numbers it shows as CSV beside it.

`draw_report(table, ReportRequest(…), out)` is the entry point of both the command line and the
dashboard. It imports neither plotnine nor matplotlib until there is something to draw; figures
that are up to date cost a comparison.
"""

from postertui.report.catalogue import FIGURES
from postertui.report.drawing import DrawnFigure, ReportResult, draw_in_pool, draw_report
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
    "draw_report",
    "prepare_pictures",
]
