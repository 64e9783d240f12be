"""Continuous flow of two-dimensional SU(N): an ordinary differential equation of links."""
