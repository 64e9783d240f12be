"""Invertible maps of the circle."""
