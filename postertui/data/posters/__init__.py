"""From posters and a CSV of labels to a data folder (see `postertui.data.dataset`).

`labels` reads the CSV, `scan` finds the files, `images` decodes one, `build` brings them together
and `replace` puts the finished folder in the old one's place in a single step.
"""

from postertui.data.posters.build import BuildReport, build_dataset

__all__ = ["BuildReport", "build_dataset"]
