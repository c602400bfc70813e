"""Colours, ASCII, what is sent to the terminal, and its end."""
