"""Posters and labels: the dataset, how it is built, and the weights of the frozen network."""
