"""What the rows of coding agents' logs say, for the live list and for imports. Reads no file."""
