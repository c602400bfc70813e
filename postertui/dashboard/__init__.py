"""The dashboard: every run's curves, live, in a terminal. The only place that imports textual.

It is a client of the runs folder: it reads events and leaves requests. Closing or killing it
changes nothing.
"""
