"""Programs that run once or twice, for which the compiler's time counts."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import equinox as eqx

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def once(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """`equinox.filter_jit` for starts and checks, which the compiler optimises less.

    Random numbers compile in a tenth of the time, forces in nine tenths. Not for use inside other
    compiled functions.
    """
    options = {"xla_backend_optimization_level": 1}
    return eqx.filter_jit(function, compiler_options=options)  # pyright: ignore[reportCallIssue]
