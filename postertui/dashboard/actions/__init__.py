"""One registry of actions: keys, help, palette and keymap come from it."""
