"""From what is on the screen to a figure file."""
