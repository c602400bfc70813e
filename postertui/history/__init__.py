"""The history table: one row per run and epoch.

- `schema`: its columns
- `identity`: which rows are one history
- `reading`, `writing`: from and into TSV, CSV and Parquet
- `from_runs`: from the runs of a folder
- `selection`: a table with the records of its runs, narrowed by a filter
- `wide`, `spreadsheets`, `tensorboard`: into forms for other programs
- `metric_names`: what other programs call its columns
"""
