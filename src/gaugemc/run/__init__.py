"""A run: its directory, its phases, its numbers."""
