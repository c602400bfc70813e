"""Facts of the 2017 study that its published table does not carry."""

from __future__ import annotations

#: Genre to the share of positives in the (train, test) cohort, digits 0 and 2, as the study's R
#: script had them. In the order in which the 2017 label files number the genres.
BASE_RATES: dict[str, tuple[float, float]] = {
    "Animation": (0.04844114, 0.04988222),
    "Comedy": (0.201396, 0.19611103),
    "Crime": (0.05262913, 0.05223777),
    "Documentary": (0.09781294, 0.09824027),
    "Drama": (0.28129362, 0.28077225),
    "Family": (0.04271754, 0.04447832),
    "Fantasy": (0.02815263, 0.02780472),
    "Foreign": (0.02680316, 0.02886703),
    "History": (0.01703118, 0.01704309),
    "Horror": (0.06454165, 0.06872662),
    "Music": (0.04648674, 0.04480163),
    "Mystery": (0.02680316, 0.02706572),
    "Romance": (0.08115403, 0.08059674),
    "Science_Fiction": (0.03476035, 0.0322387),
    "TV_Movie": (0.01447185, 0.01404092),
    "Thriller": (0.07915309, 0.08175142),
    "War": (0.01675198, 0.01708928),
    "Western": (0.01912517, 0.0159346),
}

GENRES: tuple[str, ...] = tuple(BASE_RATES)

#: How many posters the two cohorts had, recovered from the published accuracies.
TRAIN_POSTERS = 21_490
TEST_POSTERS = 21_651
