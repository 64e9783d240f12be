"""Stout smearing as a flow: one subset of links at a time."""
