"""The choices of theory: gauge theories, and toy densities of vectors."""
