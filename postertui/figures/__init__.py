"""Figures of histories: the fifteen of the 2017 study, and any other comparison.

A figure is prepared as plain data (`picture.Picture`) and turned into a `plotnine.ggplot` only to
be drawn. This package is the only place that imports plotnine and matplotlib, and it does so only
in `render`, `quick`, `save` and `fonts`, which are imported only where they are needed.
"""
