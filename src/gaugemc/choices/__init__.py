"""The menu: all that a configuration can name."""
