"""The report page: figures, tables, diagnosis, settings and provenance of one history table.

- `content`: what the page says, as data
- `settings`, `provenance`: the parts of it that no analysis gives
- `html`: one self-contained file, which loads nothing from anywhere
- `markdown`: the same for a pull request
- `files`: both, written whole or not at all
"""
