"""What follows from a genre's base rate alone."""


def always_yes_f(base_rate: float) -> float:
    """2m/(1+m): the F-score of the all-positive baseline at base rate m."""
    return 2 * base_rate / (1 + base_rate)
