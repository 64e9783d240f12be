"""Programs that run once or twice, for which the compiler's time counts."""

import functools

import equinox as eqx

once = functools.partial(eqx.filter_jit, compiler_options={"xla_backend_optimization_level": 1})
"""`equinox.filter_jit` for starts and checks: compiled several times as fast, with the same bits.

Not for use inside other compiled functions.
"""
