"""The names of the figures that 2017 had none of; those it had are in the catalogue."""

#: The dot plot of the leaderboard.
MODELS = "models"

#: The figures that are drawn from the predictions of single posters.
PREDICTION_FIGURES = ("precision-recall", "roc", "calibration", "threshold", "confusion")
