"""A run from end to end, in a directory from which it resumes."""
