"""Autocorrelations, errors, exact results and comparisons."""
