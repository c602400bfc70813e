"""Results of the analyses as titled tables.

A `Section` (see `section`) holds the frame for machines and, of it, the columns for display; the
command line prints it, `markdown` and the report page render it.
"""
