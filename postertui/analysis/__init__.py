"""What a history table says: baselines, noise, comparisons, diagnosis.

Pure functions over the history table (`postertui.history.schema`); nothing here reads a file or
knows where the table came from. Of scipy only `scipy.special` is used, and only when a number
needs it, since `scipy.stats` takes a second to import.

- `baselines`: base rate and always-yes F of a genre, each model's margin over the higher one
- `values`: one number per run, at an epoch that a rule picks
- `noise`: how far two runs of one setting differ
- `compare`: variants against a reference, paired over genre and seed
- `leaderboard`: variants in order, with those that nothing separates from the best
- `diagnosis`: what went wrong in a run
- `ensemble`: the 2017 study's ensemble by genre
- `check`: a table against a reference table, and requirements
"""
