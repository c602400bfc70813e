"""What the dashboard knows of the runs, kept up to date in the background."""
