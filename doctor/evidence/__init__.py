"""Evidence: what was read, the same type whatever it came from, and the openers that make it."""
