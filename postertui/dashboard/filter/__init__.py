"""The filter box, saved filters and checklists."""
