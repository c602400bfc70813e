"""One of each controller, shared by the screens."""

from __future__ import annotations

from postertui.dashboard.context import Context
from postertui.dashboard.controllers.assessments import AssessmentController
from postertui.dashboard.controllers.figures import FigureController
from postertui.dashboard.controllers.machine import MachineController
from postertui.dashboard.controllers.runs import RunController
from postertui.dashboard.controllers.summary import SummaryController
from postertui.dashboard.controllers.view import ViewController


class Controllers:
    """What the screens' actions do."""

    def __init__(self, context: Context) -> None:
        self.view = ViewController(context)
        self.runs = RunController(context)
        self.figures = FigureController(context)
        self.assessments = AssessmentController(context)
        self.machine = MachineController(context)
        self.summary = SummaryController(context)

    def close(self) -> None:
        """End what they have started."""
        self.machine.close()
        self.figures.close()
