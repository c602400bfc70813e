"""Every test here may have a runs folder for real supervisors and jobs."""

from tests.support.supervisor_fixtures import cheap, folder

__all__ = ["cheap", "folder"]
