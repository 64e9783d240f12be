"""Invertible maps of the line."""
