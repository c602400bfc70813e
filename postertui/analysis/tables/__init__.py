"""What the analyses found, as titled tables for people.

A `Section` (see `section`) holds the frame for machines and, of it, the columns for people; the
command line prints it, `markdown` and the report page render it.
"""
