"""Other programs on the same work, in the same process, in turns with ours."""

from importlib.metadata import version

import bijx
import blackjax
import jax
import jax.numpy as jnp
import numpy as np
from kernels import u1
from measure import Row, draws, paired

from gaugemc.flows import Spline
from gaugemc.samplers import HMC, LEAPFROG


def hmc_of_blackjax() -> Row:
    """blackjax's HMC on the flat space of angles: same density, steps, chains and observables."""
    theory, length, chains = u1(16, 2.0), 20, 64
    kernel = blackjax.hmc.build_kernel()
    mass = jnp.ones(theory.space.n_links, jnp.float32)

    def log_density(x: jax.Array) -> jax.Array:
        return -theory.action(x)

    def chain(key: jax.Array, x: jax.Array) -> jax.Array:
        def step(state: blackjax.mcmc.hmc.HMCState, key: jax.Array):
            state = kernel(key, state, log_density, 0.1, mass, 16)[0]
            return state, theory.observables(state.position)

        start = blackjax.hmc.init(x, log_density)
        return jax.lax.scan(step, start, jax.random.split(key, length))

    keys = jax.random.split(jax.random.key(0), chains)
    x = jax.vmap(theory.space.random)(keys)
    theirs = jax.jit(jax.vmap(chain))
    ours = draws(HMC(theory, 0.1, 16, LEAPFROG), chains, length)
    ratio, spread = paired(lambda: theirs(keys, x), ours)
    name = f"blackjax {version('blackjax')}"
    what = f"HMC, 16×16, 64 chains, float32, 16 leapfrogs: seconds of {name} / ours"
    return Row(what, ratio, spread)


def spline_of_bijx() -> Row:
    """Rational-quadratic splines of 8 bins on 2^16 angles, with log-slopes."""
    bins, count = 8, 2**16
    spline = Spline(bins)
    keys = jax.random.split(jax.random.key(0))
    x = jax.random.uniform(keys[0], (count,), jnp.float32, -np.pi, np.pi)
    parameters = jax.random.normal(keys[1], (count, spline.n_parameters), jnp.float32)
    parameters_first = jnp.array(parameters.T)
    ours = jax.jit(spline.forward)
    theirs = jax.jit(
        lambda x, p: bijx.rational_quadratic_spline(
            x / (2 * np.pi) + 0.5, p[:, :bins], p[:, bins : 2 * bins], p[:, 2 * bins : 3 * bins - 1]
        )
    )
    ratio, spread = paired(lambda: theirs(x, parameters), lambda: ours(x, parameters_first))
    name = f"bijx {version('bijx')}"
    what = f"spline of 8 bins and its slope, 65536 angles, float32: seconds of {name} / ours"
    return Row(what, ratio, spread)
