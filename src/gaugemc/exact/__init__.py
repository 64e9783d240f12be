"""Solved theories: two-dimensional U(1) and SU(N)."""

from gaugemc.exact.solved import charge_distribution as charge_distribution
from gaugemc.exact.solved import exact_observables as exact_observables
from gaugemc.exact.solved import log_partition_function as log_partition_function
