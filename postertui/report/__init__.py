"""Figures into a folder, each with the numbers it shows as CSV beside it.

`draw_report(table, Request(…), out)` is all there is to it: the command line and the dashboard
both call it. It imports neither plotnine nor matplotlib until there is something to draw; figures
that are up to date cost a comparison.
"""

from postertui.report.drawing import Drawn, Report, draw_report, draw_with
from postertui.report.pictures import draw_figure, prepare_pictures
from postertui.report.request import FIGURES, Failure, Request, describe_command

__all__ = [
    "FIGURES",
    "Drawn",
    "Failure",
    "Report",
    "Request",
    "describe_command",
    "draw_figure",
    "draw_report",
    "draw_with",
    "prepare_pictures",
]
