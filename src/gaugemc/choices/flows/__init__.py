"""The choices of flow: one file each."""
