"""The figure of what is on the screen: which report that is, drawing it, looking at it."""
