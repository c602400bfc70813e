"""The grid of small multiples: what is drawn, where, and the widget that shows it."""
