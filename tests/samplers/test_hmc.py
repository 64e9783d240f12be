"""HMC: integrators, the Metropolis step, and ensembles against exact results."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gaugemc.chains import sample
from gaugemc.exact import sun as exact_sun
from gaugemc.groups import SUN, U1, Group
from gaugemc.lattice import gauge_transform
from gaugemc.samplers import FOREST_RUTH, HMC, INTEGRATORS, LEAPFROG, OMELYAN, OMF4, Compose
from gaugemc.samplers.hmc.integrator import Integrator, PhasePoint, trajectory
from gaugemc.samplers.metropolis import metropolis
from gaugemc.spaces import Euclidean, Links
from gaugemc.spaces.space import total
from gaugemc.statistics.autocorrelation import estimate, z_score
from gaugemc.theories import Gaussian, Theory, Wilson

THEORIES = [
    Wilson(Links(U1(), (4, 4)), 2.0),
    Wilson(Links(SUN(2), (4, 4)), 2.5),
    Wilson(Links(SUN(3), (2, 2, 2, 2)), 5.7),
]


def name(value: Theory | Integrator) -> str:
    return value.name


@eqx.filter_jit
def random_phase(theory: Theory, key: jax.Array) -> PhasePoint:
    """A point a few trajectories from the ordered one, and a momentum."""
    space = theory.space
    keys = jax.random.split(key)
    x = space.move(space.origin(), space.random_momentum(keys[0]), 0.5)
    return PhasePoint(x, space.random_momentum(keys[1]), theory.force(x))


@eqx.filter_jit
def integrate(
    theory: Theory,
    integrator: Integrator,
    start: PhasePoint,
    step_size: jax.Array,
    n_steps: jax.Array,
) -> tuple[PhasePoint, jax.Array]:
    """The end of a trajectory and the change of H along it, compiled where the links are known."""
    steps = step_size, n_steps, theory.compiled_couplings
    end = trajectory(integrator, theory.space, theory.force, start, *steps)
    kinetic = theory.space.kinetic_energy
    change = theory.action(end.x) + kinetic(end.v) - theory.action(start.x) - kinetic(start.v)
    return end, change


@pytest.mark.parametrize("integrator", INTEGRATORS.values(), ids=name)
@pytest.mark.parametrize("theory", THEORIES, ids=name)
def test_trajectories_are_reversible(
    theory: Theory, integrator: Integrator, key: jax.Array
) -> None:
    start = random_phase(theory, key)
    end, change = integrate(theory, integrator, start, jnp.asarray(0.1), jnp.asarray(10))
    back = PhasePoint(end.x, -end.v, end.force)
    home, change_back = integrate(theory, integrator, back, jnp.asarray(0.1), jnp.asarray(10))
    assert float(jnp.abs(end.x - start.x).max()) > 0.1
    np.testing.assert_allclose(home.x, start.x, atol=1e-12)
    np.testing.assert_allclose(home.v, -start.v, atol=1e-12)
    np.testing.assert_allclose(change_back, -change, atol=1e-11)


@pytest.mark.parametrize(
    ("integrator", "order"),
    [(LEAPFROG, 2), (OMELYAN, 2), (FOREST_RUTH, 4), (OMF4, 4)],
    ids=["LF", "2MN", "FR", "4MN"],
)
@pytest.mark.parametrize("theory", THEORIES, ids=name)
def test_energy_is_conserved_to_the_order_of_the_integrator(
    theory: Theory, integrator: Integrator, order: int, key: jax.Array
) -> None:
    start = random_phase(theory, key)
    steps = [32, 64, 128]
    changes = [
        abs(float(integrate(theory, integrator, start, jnp.asarray(0.8 / n), jnp.asarray(n))[1]))
        for n in steps
    ]
    slope = np.polyfit(np.log(steps), np.log(changes), 1)[0]
    assert abs(slope + order) < 0.15


def test_integrator_refuses_what_is_not_reversible() -> None:
    with pytest.raises(ValueError, match="palindrome"):
        Integrator("euler", (1.0, 0.0), (1.0,))


@pytest.mark.parametrize("theory", THEORIES, ids=name)
def test_detailed_balance_of_energies(theory: Theory, key: jax.Array) -> None:
    """<exp(-dH)> = 1 in equilibrium, with errors from independent chains.

    Within 5 standard errors (t with 31 degrees): false alarm 2e-5. The acceptance is far enough
    from 1 for the test to feel a wrong weight.
    """
    step_size = 0.2 if len(theory.space.field_shape) < 6 else 0.12
    samples = sample(HMC(theory, step_size, 5), key, chains=32, draws=30, warmup=40, chunk=35)
    info = samples.draws.info
    assert 0.5 < info.acceptance.mean() < 0.98
    chains = np.exp(-info.delta_h).mean(axis=1)
    assert abs(chains.mean() - 1) < 5 * chains.std(ddof=1) / np.sqrt(len(chains))
    np.testing.assert_allclose(info.acceptance, np.minimum(1, np.exp(-info.delta_h)), rtol=1e-12)
    assert np.all(info.force_evaluations == 5)


def test_acceptance_goes_to_one(key: jax.Array) -> None:
    theory = THEORIES[0]
    coarse, fine = (
        sample(HMC(theory, e, n), key, chains=8, draws=10, warmup=10).draws.info.acceptance
        for e, n in ((0.2, 5), (0.02, 50))
    )
    assert fine.mean() > 0.99 > coarse.mean()


def test_plaquette_of_su2_in_two_dimensions(key: jax.Array) -> None:
    """Within 4.5 standard errors (t with 63 degrees) of the exact value: false alarm 3e-5."""
    beta, lattice = 2.5, (4, 4)
    theory = Wilson(Links(SUN(2), lattice), beta)
    samples = sample(HMC(theory, 0.2, 5, OMELYAN), key, chains=64, draws=100, warmup=50, chunk=50)
    chains = samples.draws.observables["plaquette"].mean(axis=1)
    exact = exact_sun.plaquette(2, beta, 16)
    error = chains.std(ddof=1) / np.sqrt(len(chains))
    assert error < 2e-3
    assert abs(chains.mean() - exact) < 4.5 * error


def test_hot_and_cold_starts_agree(key: jax.Array) -> None:
    """The two halves of the chains forget their start: 4.5 standard errors, false alarm 3e-5."""
    samples = sample(HMC(THEORIES[0], 0.2, 5), key, chains=64, draws=100, warmup=100)
    chains = samples.draws.observables["plaquette"].mean(axis=1)
    hot, cold = chains[:32], chains[32:]
    error = np.sqrt((hot.var(ddof=1) + cold.var(ddof=1)) / 32)
    assert abs(hot.mean() - cold.mean()) < 4.5 * error
    start = sample(HMC(THEORIES[0], 1e-6, 1), key, chains=64, draws=1, warmup=0)
    plaquette = start.draws.observables["plaquette"]
    assert plaquette[:32].mean() < 0.2 < 0.999 < plaquette[32:].mean()


def test_gaussian_moments(key: jax.Array) -> None:
    """Mean and covariance within 4.5 standard errors from 64 chains: false alarm below 2e-4."""
    mean, covariance = jnp.array([1.0, -2.0]), jnp.array([[2.0, 0.6], [0.6, 0.5]])

    class Moments(Gaussian):
        def observables(self, x: jax.Array) -> dict[str, jax.Array]:
            d = x - self.mean
            return {"0": x[0], "1": x[1], "00": d[0] ** 2, "01": d[0] * d[1], "11": d[1] ** 2}

    theory = Moments(mean, covariance)  # pyright: ignore[reportCallIssue]
    samples = sample(HMC(theory, 0.5, 4), key, draws=200, warmup=50)
    exact = {"0": 1.0, "1": -2.0, "00": 2.0, "01": 0.6, "11": 0.5}
    for observable, value in exact.items():
        chains = samples.draws.observables[observable].mean(axis=1)
        error = chains.std(ddof=1) / np.sqrt(len(chains))
        assert abs(chains.mean() - value) < 4.5 * error


class Cliff(Theory):
    """A unit normal whose action and force are NaN beyond |x| = 1."""

    space: Euclidean = Euclidean((1,))

    @property
    def name(self) -> str:
        return "cliff"

    def action(self, x: jax.Array) -> jax.Array:
        return total(jnp.where(jnp.abs(x) < 1, x**2 / 2, jnp.nan))

    def force(self, x: jax.Array) -> jax.Array:
        return jnp.where(jnp.abs(x) < 1, x, jnp.nan)

    def observables(self, x: jax.Array) -> dict[str, jax.Array]:
        return {"x": x[0]}


def test_nan_is_rejected(key: jax.Array) -> None:
    sampler = HMC(Cliff(), 0.4, 3)
    states = jax.vmap(sampler.state)(jnp.zeros((16, 1)))
    draws = sample(sampler, key, draws=50, warmup=0, states=states).draws
    x, info = draws.observables["x"], draws.info
    assert np.abs(x).max() < 1
    assert 0.1 < info.accepted.mean() < 0.95
    assert np.all(info.acceptance[~np.isfinite(info.delta_h)] == 0)
    assert not np.isnan(info.delta_h).any()


def test_metropolis_keeps_the_old_state_on_nan(key: jax.Array) -> None:
    old, new = jnp.zeros(2), jnp.full(2, jnp.nan)
    state, info = metropolis(key, old, new, jnp.asarray(jnp.nan))
    np.testing.assert_array_equal(state, old)
    assert not info.accepted
    assert float(info.acceptance) == 0


def test_a_start_without_an_action_is_loud(key: jax.Array) -> None:
    """One line from `sample`."""

    class Nowhere(Cliff):
        def action(self, x: jax.Array) -> jax.Array:
            return total(jnp.nan * x)

    for sampler in (HMC(Nowhere(), 0.1, 1), Compose((HMC(Nowhere(), 0.1, 1),))):
        with pytest.raises(ValueError, match=r"^cliff: the action of the start is NaN") as error:
            sample(sampler, key, chains=4, draws=1)
        assert "\n" not in str(error.value)


def test_states_with_nan_are_not_sampled(key: jax.Array) -> None:
    sampler = HMC(Cliff(), 0.4, 3)
    states = jax.vmap(sampler.state)(jnp.asarray([[0.1], [2.0], [0.2], [-3.0]]))
    with pytest.raises(
        ValueError, match=r"^cliff: the state of chain 1 \(2 of 4 chains\) has a NaN"
    ):
        sample(sampler, key, draws=1, states=states)


@pytest.mark.slow
def test_plaquette_of_su3_in_four_dimensions(key: jax.Array) -> None:
    """0.549 at beta 5.7 in a large volume; about a minute on two idle cores.

    The error of the run is about 0.001, so the bound is four standard errors: false alarm 1e-4.
    Short first trajectories: from hot and cold starts long steps are never accepted.
    """
    theory = Wilson(Links(SUN(3), (6, 6, 6, 6), jnp.float32), 5.7)
    states = sample(HMC(theory, 0.03, 10, OMELYAN), key, chains=4, draws=20, warmup=0).states
    sampler = HMC(theory, 0.1, 10, OMELYAN)
    samples = sample(sampler, key, draws=120, warmup=60, states=states)
    assert samples.draws.info.acceptance.mean() > 0.85
    assert abs(samples.draws.observables["plaquette"].mean() - 0.549) < 0.004


def test_a_damped_force_is_exact(key: jax.Array):
    """HMC with a force scale far below the forces: z of <x^2>, false alarm 6e-5."""
    theory = Gaussian(jnp.zeros(2), jnp.asarray([[1.0, 0.5], [0.5, 2.0]]))
    sampler = HMC(theory, 0.5, 3, LEAPFROG, force_scale=0.5)
    samples = sample(sampler, key, chains=64, draws=2000, warmup=100)
    plain = HMC(theory, 0.5, 3, LEAPFROG)
    x = 3.0 * jnp.ones(2)
    assert float(jnp.max(jnp.abs(sampler.force(x)))) < 0.5
    assert float(jnp.max(jnp.abs(plain.force(x)))) > 1
    for name, exact in theory.exact_observables().items():
        assert abs(z_score(estimate(samples.draws.observables[name]), exact) or 0) < 4


def test_a_force_scale_must_be_positive():
    with pytest.raises(ValueError, match="must be positive"):
        HMC(Gaussian(jnp.zeros(2), jnp.eye(2)), 0.1, 1, LEAPFROG, force_scale=0.0)


@pytest.mark.parametrize("group", [U1(), SUN(2), SUN(3)], ids=lambda group: group.name)
def test_a_damped_force_commutes_with_gauge_transformations(group: Group, key: jax.Array):
    """It stays in the algebra, parallel to the force, with the norm f / (1 + (f / scale)^2)."""
    theory = Wilson(Links(group, (2, 4)), 5.0)
    sampler = HMC(theory, 0.1, 1, force_scale=0.3)
    keys = jax.random.split(key)
    x = theory.space.random(keys[0])
    omega = group.random(keys[1], (2, 4), theory.space.dtype)
    force, damped = theory.force(x), sampler.force(x)
    norm = jnp.sqrt(2 * group.kinetic_energy(force))
    expected = norm / (1 + (norm / 0.3) ** 2)
    np.testing.assert_allclose(jnp.sqrt(2 * group.kinetic_energy(damped)), expected, atol=1e-13)
    along = group.kinetic_energy(force + damped)
    np.testing.assert_allclose(along, (norm + expected) ** 2 / 2, atol=1e-12)
    turned = sampler.force(gauge_transform(group, x, omega))
    back = group.transport(jnp.stack([omega, omega]), turned)
    np.testing.assert_allclose(back, damped, atol=1e-13)


def test_a_damped_force_of_matrices_is_exact(key: jax.Array):
    """The plaquette of SU(2): within 4.5 standard errors from 64 chains, false alarm 3e-5."""
    theory = Wilson(Links(SUN(2), (2, 2)), 2.0)
    sampler = HMC(theory, 0.25, 4, force_scale=1.0)
    samples = sample(sampler, key, chains=64, draws=100, warmup=30)
    assert 0.3 < samples.draws.info.acceptance.mean() < 0.99
    chains = samples.draws.observables["plaquette"].mean(axis=1)
    error = chains.std(ddof=1) / np.sqrt(len(chains))
    assert error < 1e-2
    assert abs(chains.mean() - exact_sun.plaquette(2, 2.0, 4)) < 4.5 * error


@pytest.mark.parametrize("step_size", [0.0, -0.1, np.nan, np.inf, jnp.asarray([0.1, 0.2])], ids=str)
def test_step_sizes_that_are_none_are_refused(step_size: float):
    with pytest.raises(ValueError, match=r"^step_size .*: must be a positive, finite number$"):
        HMC(THEORIES[0], step_size, 5)


@pytest.mark.parametrize("n_steps", [0, -3, 2.5, np.nan, 2**40, jnp.asarray([1, 2])], ids=str)
def test_numbers_of_steps_that_are_none_are_refused(n_steps: int):
    with pytest.raises(ValueError, match=r"^n_steps .*: must be a whole number, at least 1$"):
        HMC(THEORIES[0], 0.1, n_steps)
    with pytest.raises(ValueError, match="n_steps 0"):
        HMC(THEORIES[0], 0.1, 3).with_steps(0.1, 0)


def test_steps_are_data_inside_compiled_functions():
    theory = Gaussian(jnp.zeros(2), jnp.eye(2))
    build = jax.jit(lambda e, n: HMC(theory, e, n).with_steps(2 * e, n).step_size)
    assert build(0.1, 3) == 0.2


def test_integrators_have_names():
    assert HMC(THEORIES[0], 0.1, 5, "omelyan").integrator is OMELYAN
    with pytest.raises(ValueError, match=r"^integrator 'omelian': choose leapfrog, omel"):
        HMC(THEORIES[0], 0.1, 5, "omelian")


def test_fields_that_do_not_fit_are_refused():
    """Without a batch axis, in the theory's type; not a number that means something else."""
    theory, sampler = THEORIES[0], HMC(THEORIES[0], 0.1, 5)
    x = theory.space.origin()
    for call in (sampler.state, theory.action, theory.force, theory.observables):
        with pytest.raises(
            ValueError, match=r"^field of shape \[3, 2, 4, 4\]: 2D U\(1\) links on 4x4"
        ):
            call(jnp.stack([x, x, x]))
    with pytest.raises(ValueError, match=r"^field of type float32: .* have type float64"):
        sampler.state(x.astype(jnp.float32))
