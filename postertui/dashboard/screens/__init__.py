"""Screens that are laid over the main one, and small widgets that several share."""
