"""The chat at a terminal: a client of the same routes that scripts use. Knows no command and no file."""
