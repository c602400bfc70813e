"""Devices, logs, configs and announcements: what is watched beside the curves."""
