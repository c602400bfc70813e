"""What the operating system gives: atomic files, locks, processes, user folders, text."""
