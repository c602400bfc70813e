"""A run: what to train, its folder, its events, its state, and the store that reads all runs."""
