"""The 2017 study: its genres and base rates, the names it used, and its logs.

- `facts`: what its published table does not carry
- `naming`: from a row of the table to a variant, and back
- `log_names`, `logs`, `literals`: a log file's name, its content, and Python literals read as data
"""
