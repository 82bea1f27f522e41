"""What the chat costs, measured on real servers. `python -m bench` runs everything and prints one table."""
