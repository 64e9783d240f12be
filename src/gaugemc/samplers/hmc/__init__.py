"""HMC and its integrators."""
