"""Starting runs: the form, what it would start, and variants made in it."""
