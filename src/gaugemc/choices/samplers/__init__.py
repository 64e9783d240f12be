"""The choices of sampler: one file each."""
