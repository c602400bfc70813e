"""What a history table says: baselines, noise, comparisons, diagnosis.

Pure functions over the history table (`postertui.history.schema`); nothing here reads a file or
knows where the table came from. Student's t is `student_t`'s, since `scipy.special` takes nearly
as long to import as all else that a comparison needs; of scipy only rarer functions are used.

- `baselines`: base rate and always-yes F of a genre, each model's margin over the higher one
- `values`: one number per run, at an epoch that a rule picks
- `noise`: how far two runs of one setting differ
- `compare`: variants against a reference, paired over genre and seed
- `leaderboard`: variants in order, with those that nothing separates from the best
- `diagnosis`: what went wrong in a run
- `ensemble`: the 2017 study's ensemble by genre
- `check`: a table against a reference table, and requirements
"""
