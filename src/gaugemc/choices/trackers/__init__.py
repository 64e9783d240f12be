"""The choices of tracker: one file each."""
