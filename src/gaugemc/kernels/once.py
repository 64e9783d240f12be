"""Programs that run once or twice, for which the compiler's time counts."""

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import equinox as eqx
import jax

from gaugemc.arrays import known

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def once(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """`equinox.filter_jit` for starts and checks, which the compiler optimises less.

    Random numbers compile in a tenth of the time, forces in nine tenths. Inside other compiled
    functions it is the function itself.
    """
    options = {"xla_backend_optimization_level": 1}
    quick = eqx.filter_jit(function, compiler_options=options)  # pyright: ignore[reportCallIssue]

    @functools.wraps(function)
    def call(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        outermost = all(map(known, jax.tree.leaves((args, kwargs))))
        return (quick if outermost else function)(*args, **kwargs)

    return call
