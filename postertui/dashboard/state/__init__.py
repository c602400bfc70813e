"""What the dashboard knows: runs, view options, and what follows from them."""
