"""Checks of a space: its exponential map, its momenta, its derivative, its reference measure."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from gaugemc.arrays import Field, Scalar
from gaugemc.checks.chains import Z_LIMIT
from gaugemc.checks.flows import departure
from gaugemc.checks.maps import LARGEST, LIMIT
from gaugemc.checks.outcome import Check, bounded, failed, normal, undecided
from gaugemc.checks.shapes import attempt, differences
from gaugemc.checks.tangent import basis, gradient_error, real
from gaugemc.checks.theories import FORCE_LIMIT
from gaugemc.spaces import Euclidean, Links, Space

_DRAWS = 4096
_TIME = 0.7


def of_space(space: Space, key: Key[Array, ""]) -> dict[str, Check]:
    """The checks of a space."""
    checks = {"shapes": attempt(lambda: shapes(space, key))}
    if not checks["shapes"].passed:
        return checks
    checks["move"] = attempt(lambda: move(space, key))
    checks["kinetic_energy"] = attempt(lambda: kinetic_energy(space, key))
    checks["gradient"] = attempt(lambda: gradient(space, key))
    checks["log_reference"] = attempt(lambda: log_reference(space, key))
    return checks


def shapes(space: Space, key: Key[Array, ""]) -> Check:
    """Fields have the space's shape and one type; energies and log densities are float64."""
    x, v = jax.eval_shape(space.random, key), jax.eval_shape(space.random_momentum, key)
    scalar = jnp.zeros((), jnp.float64)
    wrong = differences("a random field", x, jax.ShapeDtypeStruct(space.field_shape, x.dtype))
    for name, found, wanted in (
        ("the ordered field", jax.eval_shape(space.origin), x),
        ("a moved field", jax.eval_shape(lambda x, v: space.move(x, v, _TIME), x, v), x),
        ("a projected field", jax.eval_shape(space.project, x), x),
        ("the kinetic energy", jax.eval_shape(space.kinetic_energy, v), scalar),
        ("the log density", jax.eval_shape(space.log_reference, x), scalar),
    ):
        wrong += differences(name, found, wanted)
    return failed("; ".join(wrong)) if wrong else Check("passed")


def move(space: Space, key: Key[Array, ""]) -> Check:
    """Moves stay in the space, return with the opposite momentum, and add up in time."""

    @eqx.filter_jit
    def error(space: Space, key: Key[Array, ""]) -> Scalar:
        start_key, momentum_key = jax.random.split(key)
        x, v = space.random(start_key), space.random_momentum(momentum_key)
        there = space.move(x, v, _TIME)
        errors = [
            space.distance(x, space.move(there, -v, _TIME)),
            space.distance(there, space.move(space.move(x, v, _TIME / 3), v, 2 * _TIME / 3)),
            departure(space, there),
        ]
        return jnp.max(jnp.stack(errors))

    return bounded(float(error(space, key)), LIMIT)


def kinetic_energy(space: Space, key: Key[Array, ""]) -> Check:
    """Kinetic energies of random momenta are those of unit normals: n / 2 on average, n dimensions.

    The larger z-score of their mean and of their mean square.
    """
    if int(np.prod(space.field_shape)) > LARGEST and not isinstance(space, Euclidean | Links):
        return undecided("too many components to find the dimension of the space")
    n = len(basis(space))
    energies = np.asarray(
        jax.lax.map(
            lambda k: space.kinetic_energy(space.random_momentum(k)),
            jax.random.split(key, _DRAWS),
            batch_size=64,
        )
    )
    scores = [
        standard_score(energies, n / 2),
        standard_score(energies**2, n / 2 * (n / 2 + 1)),
    ]
    z = max(scores, key=abs)
    return normal(z, Z_LIMIT, mean=float(energies.mean()), expected=n / 2)


def gradient(space: Space, key: Key[Array, ""]) -> Check:
    """The gradient of a function against finite differences along random momenta."""
    weights = np.random.default_rng(1).normal(size=real(space.origin()).shape)

    def f(x: Field) -> Scalar:
        linear = jnp.asarray(weights) * real(x).astype(jnp.float64)
        return jnp.sum(linear) + jnp.sum(linear**2) / 2

    return bounded(float(gradient_error(space, f, space.gradient(f), key)), FORCE_LIMIT)


def log_reference(space: Space, key: Key[Array, ""]) -> Check:
    """Draws from the reference measure against its log density p, by Stein's identity.

    `<dg/dv + g dlog(p)/dv> = 0` for a function g and a fixed momentum v. The normalisation of p
    does not show. Where g is not smooth everywhere, as an angle is not, the identity does not hold;
    so a failure on a space that is not known here decides nothing.
    """
    links = isinstance(space, Links)
    shape = real(space.origin()).shape
    weights = jnp.asarray(np.random.default_rng(2).normal(size=shape))
    zero = jnp.zeros((), jnp.float64)
    v_key, turn_key, key = jax.random.split(key, 3)
    v = space.random_momentum(v_key)
    turn = space.random(turn_key)

    def probe(x: Field) -> Scalar:
        if isinstance(space, Links):
            return jnp.sum(space.group.trace(space.group.multiply(turn, x)), dtype=jnp.float64)
        return jnp.sum(weights * real(x).astype(jnp.float64))

    def term(key: Key[Array, ""]) -> Scalar:
        x = space.random(key)

        def along(f) -> Scalar:
            return jax.jvp(lambda e: f(space.move(x, v, e)), (zero,), (zero + 1,))[1]

        return along(probe) + probe(x) * along(space.log_reference)

    terms = np.asarray(jax.lax.map(term, jax.random.split(key, _DRAWS), batch_size=64))
    known = links or isinstance(space, Euclidean)
    unsettled = "" if known else "coordinates may jump on this space"
    return normal(standard_score(terms, 0.0), Z_LIMIT, unsettled)


def standard_score(values: Float[np.ndarray, " draw"], exact: float) -> float:
    """The deviation of a mean of independent draws in standard errors."""
    return float((values.mean() - exact) / (values.std(ddof=1) / np.sqrt(len(values))))
