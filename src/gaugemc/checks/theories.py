"""Checks of a theory: its action, the force, gauge invariance, observables."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from gaugemc.checks.flows import of_flow
from gaugemc.checks.outcome import Check, bounded, failed
from gaugemc.checks.shapes import attempt, differences
from gaugemc.checks.tangent import gradient_error
from gaugemc.exact.solved import exact_observables
from gaugemc.flows import Flow
from gaugemc.lattice import gauge_transform
from gaugemc.spaces import Links
from gaugemc.theories import Pullback, Theory

FORCE_LIMIT = 1e-6
"""Of finite differences in float64."""
_GAUGE_LIMIT = 1e-10


def of_theory(theory: Theory, key: Key[Array, ""]) -> dict[str, Check]:
    """The checks of a theory; of one that is pulled back, those of its flow and of itself."""
    if isinstance(theory, Pullback):
        flow = of_flow(theory.flow, theory.space, key) if isinstance(theory.flow, Flow) else {}
        return {**of_theory(theory.theory, key), **flow}
    checks = {"action": attempt(lambda: action(theory, key))}
    if not checks["action"].passed:
        return checks
    checks["force"] = attempt(lambda: force(theory, key))
    checks["observables"] = attempt(lambda: observables(theory, key))
    if isinstance(theory.space, Links) and checks["observables"].passed:
        checks["gauge_invariance"] = attempt(lambda: gauge_invariance(theory, key))
    return checks


def action(theory: Theory, key: Key[Array, ""]) -> Check:
    """The action is a finite float64 scalar, for ordered and for random fields."""
    space = theory.space
    wanted = jnp.zeros((), jnp.float64)
    wrong = differences("the action", eqx.filter_eval_shape(theory.action, space.origin()), wanted)
    if wrong:
        return failed("; ".join(wrong))
    of = eqx.filter_jit(theory.action)
    for x, which in ((space.origin(), "the ordered"), (space.random(key), "a random")):
        if not jnp.isfinite(of(x)):
            return failed(f"the action of {which} field is {float(of(x))}")
    return Check("passed")


def force(theory: Theory, key: Key[Array, ""]) -> Check:
    """The force against finite differences of the action, along random momenta."""
    momentum = jax.eval_shape(theory.space.random_momentum, key)
    found = eqx.filter_eval_shape(theory.force, theory.space.origin())
    wrong = differences("the force", found, momentum)
    if wrong:
        return failed("; ".join(wrong))
    return bounded(
        float(gradient_error(theory.space, theory.action, theory.force, key)), FORCE_LIMIT
    )


def observables(theory: Theory, key: Key[Array, ""]) -> Check:
    """Observables are finite and real; those that the theory names exist."""
    measured = eqx.filter_jit(theory.observables)(theory.space.random(key))
    wrong = [
        f"{name} is not finite and real"
        for name, value in measured.items()
        if jnp.iscomplexobj(value) or not np.all(np.isfinite(value))
    ]
    named = {"leading": theory.leading, "exact_observables": exact_observables(theory)}
    wrong += [
        f"{where} names {name}, which is not measured"
        for where, names in named.items()
        for name in names
        if name not in measured
    ]
    return failed("; ".join(wrong)) if wrong else Check("passed")


def gauge_invariance(theory: Theory, key: Key[Array, ""]) -> Check:
    """Largest change of action and observables by a random gauge transformation, relative."""
    space = theory.space
    assert isinstance(space, Links)

    @eqx.filter_jit
    def change(theory: Theory, key: Key[Array, ""]) -> Array:
        field_key, omega_key = jax.random.split(key)
        x = space.random(field_key)
        omega = space.group.random(omega_key, space.lattice, space.dtype)
        y = gauge_transform(space.group, x, omega)

        def error(a: Array, b: Array) -> Array:
            return jnp.max(jnp.abs(a - b) / jnp.maximum(1.0, jnp.abs(a)))

        of = lambda x: [theory.action(x), *theory.observables(x).values()]  # noqa: E731
        return jnp.max(jnp.stack([error(a, b) for a, b in zip(of(x), of(y))]))

    return bounded(float(change(theory, key)), _GAUGE_LIMIT)
