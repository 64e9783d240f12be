"""Trained Markov chain Monte Carlo samplers for lattice gauge theory that are exact."""

__version__ = "0.1.0"
