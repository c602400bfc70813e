"""What a finished run thinks of single posters: its probabilities, and how good they are.

- `ranking`: posters in order of probability, and the counts of every possible threshold
- `scores`: average precision, AUROC, Brier score, precision, recall, F; the threshold to decide by
- `reliability`: how often a poster predicted with probability p is positive
"""
