"""Regions of the screens."""
