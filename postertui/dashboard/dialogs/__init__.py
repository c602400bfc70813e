"""Small windows over a screen: a question, a list to choose from, an editor."""
