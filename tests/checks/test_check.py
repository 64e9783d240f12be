"""`gaugemc.check`: right objects pass, and each kind of mistake is found by its own check."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gaugemc as gm
from gaugemc.checks import Checks
from gaugemc.flows import NCP, Flow, gauge_flow
from gaugemc.groups import SUN, U1
from gaugemc.samplers import HMC, L2HMC, Compose, Winding, trainable_leapfrog
from gaugemc.spaces import Euclidean, Links, total
from gaugemc.theories import Gaussian, Theory, Wilson

pytestmark = pytest.mark.usefixtures("quick_compilation")

PLANE = Euclidean((3,))
NORMAL = Gaussian(jnp.zeros(3), jnp.eye(3))
U1_LINKS = Links(U1(), (4, 4), jnp.float32)
SU2_LINKS = Links(SUN(2), (2, 2))


def not_passed(checks: Checks) -> set[str]:
    return {name for name, check in checks.items() if not check.passed}


class Stretch(Flow):
    """x = s z, and what its author believes its log-det and its inverse to be."""

    scale: float = 1.5
    claimed: float = 1.5
    undone: float = 1.5
    single: bool = False

    def forward(self, z):
        log_det = jnp.asarray(z.size * np.log(self.claimed))
        return self.scale * z, log_det.astype(jnp.float32) if self.single else log_det

    def inverse(self, x):
        return x / self.undone, jnp.asarray(-x.size * np.log(self.claimed))


class Conjugate(Flow):
    """SU(N) links turned by a function of another link: U_0 <- exp(c tr(U_1) T) U_0, T fixed."""

    power: float = 1.0

    def forward(self, z):
        return self._turn(z, 1.0)

    def inverse(self, x):
        return self._turn(x, -1.0)

    def _turn(self, x, sign):
        generator = jnp.diag(jnp.asarray([0.5j, -0.5j]))
        angle = sign * jnp.trace(x[1], axis1=-2, axis2=-1).real[..., None, None]
        turned = SUN(2).multiply(SUN(2).exp(angle * generator), x[0])
        return jnp.stack([turned, x[1]]), jnp.zeros(()) + self.power - 1


class Scale(Flow):
    """The class angle of every SU(2) link raised to a power: not volume-preserving."""

    claim: float = 1.0

    def forward(self, z):
        return self._power(z, 1.3)

    def inverse(self, x):
        return self._power(x, 1 / 1.3)

    def _power(self, u, p):
        cosine = jnp.trace(u, axis1=-2, axis2=-1).real / 2
        a = jnp.arccos(cosine)
        b = np.pi * ((a / np.pi) ** p)
        axis = (u - cosine[..., None, None] * jnp.eye(2)) / jnp.sin(a)[..., None, None]
        turned = jnp.cos(b)[..., None, None] * jnp.eye(2) + jnp.sin(b)[..., None, None] * axis
        slope = p * (a / np.pi) ** (p - 1)
        return turned, self.claim * total(jnp.log(slope) + 2 * jnp.log(jnp.sin(b) / jnp.sin(a)))


@pytest.mark.parametrize(
    ("flow", "space", "wrong"),
    [
        (Stretch(), PLANE, set()),
        (Stretch(claimed=1.4), PLANE, {"log_det"}),
        (Stretch(undone=1.4), PLANE, {"inverse"}),
        (Stretch(single=True), PLANE, {"shapes"}),
        (Conjugate(), SU2_LINKS, set()),
        (Conjugate(power=1.1), SU2_LINKS, {"log_det", "inverse"}),
        (Scale(), SU2_LINKS, set()),
        (Scale(claim=0.9), SU2_LINKS, {"log_det"}),
        (Stretch(1.1, 1.1, 1.1), SU2_LINKS, {"image"}),
    ],
)
def test_a_flow(flow: Flow, space, wrong: set[str], key: jax.Array):
    checks = gm.check(flow, space, key=key)
    assert wrong <= not_passed(checks)
    assert not checks.passed if wrong else not not_passed(checks)
    if wrong and wrong != {"image"}:
        assert not_passed(checks) == wrong


def test_the_log_det_check_says_where(key: jax.Array):
    """A flow in float32 is checked in float64; a large lattice is replaced by a smaller one."""
    space = Links(U1(), (16, 8), jnp.float32)
    flow = gauge_flow(key, space, NCP(2, 2.0), n_layers=2)
    checks = gm.check(flow, Wilson(space, 2.0))
    assert checks.passed, checks
    assert checks["log_det"].numbers["lattice"] == [8, 8]
    assert "on 8x8" in str(checks)
    assert gm.check(Stretch(), PLANE)["log_det"].numbers["shape"] == [3]


def test_a_wrong_log_det_does_not_sample_silently(key: jax.Array):
    """Its acceptance is high and <exp(-dH)> is 1, for the energy has the same mistake: a wrong mean
    alone, which a user does not know, would show it."""

    class Wrong(Stretch):
        def forward(self, z):
            return self.scale * z, total(z**2) / 4

        def inverse(self, x):
            return x / self.scale, -total((x / self.scale) ** 2) / 4

    checks = gm.check(HMC(NORMAL.pullback(Wrong()), 0.3, 4), key=key)
    assert checks["exp_minus_delta_h"].passed
    assert checks["log_det"].outcome == "failed"
    assert not checks.passed
    assert checks["mean_square"].outcome == "failed"
    assert gm.check(HMC(NORMAL.pullback(Stretch()), 0.3, 4), key=key).passed


class Quartic(Theory):
    """x^4 with a force that may be wrong, and an action that may be of the wrong type."""

    space: Euclidean
    power: int = 3
    single: bool = False

    @property
    def name(self):
        return "quartic"

    def action(self, x):
        return total(x**4).astype(jnp.float32) if self.single else total(x**4)

    def force(self, x):
        return 4 * x**self.power

    def observables(self, x):
        return {"mean": jnp.mean(x)}


class Gauged(Wilson):
    """Wilson's action with a term that is not gauge invariant."""

    def action(self, x):
        return super().action(x) + total(jnp.cos(x[0, 0, 0]))

    def force(self, x):
        return Theory.force(self, x)


class Names(Gaussian):
    @property
    def leading(self):
        return ("mass",)


@pytest.mark.parametrize(
    ("theory", "wrong"),
    [
        (Quartic(PLANE), set()),
        (Quartic(PLANE, power=2), {"force"}),
        (Quartic(PLANE, single=True), {"action"}),
        (Wilson(U1_LINKS, 2.0), set()),
        (Wilson(SU2_LINKS, 2.0), set()),
        (Gauged(U1_LINKS, 2.0), {"gauge_invariance"}),
        (Names(jnp.zeros(2), jnp.eye(2)), {"observables"}),  # pyright: ignore
    ],
)
def test_a_theory(theory: Theory, wrong: set[str], key: jax.Array):
    assert not_passed(gm.check(theory, key=key)) == wrong


class Drunk(Euclidean):
    """Moves that do not return, momenta that are too large, draws that are too narrow, ..."""

    mistake: str = ""

    def random(self, key):
        return super().random(key) * (0.8 if self.mistake == "log_reference" else 1)

    def random_momentum(self, key):
        return super().random_momentum(key) * (1.1 if self.mistake == "kinetic_energy" else 1)

    def move(self, x, v, dt):
        return super().move(x, v, dt) + (dt**2 if self.mistake == "move" else 0)

    def gradient(self, f):
        factor = 1.01 if self.mistake == "gradient" else 1
        return lambda x: factor * jax.grad(f)(x)


@pytest.mark.parametrize("mistake", ["", "log_reference", "kinetic_energy", "move", "gradient"])
def test_a_space(mistake: str, key: jax.Array):
    """4096 draws each; limit |z| = 4."""
    assert not_passed(gm.check(Drunk((20,), mistake=mistake), key=key)) == {mistake} - {""}


def test_links_are_a_space(key: jax.Array):
    assert not not_passed(gm.check(SU2_LINKS, key=key))


class Irreversible(HMC):
    def there_and_back(self, x, v):
        return super().there_and_back(x, v) + 1e-6


def test_samplers(key: jax.Array):
    theory = Wilson(U1_LINKS, 1.0)
    cycle = gm.check(Compose((HMC(theory, 0.2, 4), Winding(theory))), key=key, draws=300)
    assert cycle.passed, cycle
    assert {"reversibility", "plaquette", "exp_minus_delta_h.winding"} <= cycle.keys()
    assert not_passed(gm.check(Irreversible(NORMAL, 0.3, 4), key=key)) == {"reversibility"}


def test_l2hmc(key: jax.Array):
    leapfrog = trainable_leapfrog(key, PLANE, n_layers=2, step_size=0.3)
    checks = gm.check(L2HMC(NORMAL, leapfrog), key=key)
    assert checks.passed, checks
    assert {"reversibility", "log_det"} <= checks.keys()


def test_what_an_object_raises_is_a_failure(key: jax.Array):
    class Broken(Stretch):
        def forward(self, z):
            raise RuntimeError("no such thing\nat all")

    class BrokenSampler(HMC):
        def step(self, key, state):
            raise RuntimeError("no such step")

    assert gm.check(Broken(), PLANE)["shapes"].why == "RuntimeError: no such thing"
    assert gm.check(BrokenSampler(NORMAL, 0.3, 4))["chains"].why == "RuntimeError: no such step"


def test_other_objects_are_refused_in_one_line():
    with pytest.raises(ValueError, match=r"^check: needs a Flow, Theory, Space or Sampler, not 3$"):
        gm.check(3)
    with pytest.raises(ValueError, match=r"^check: say on which space the flow is, .*$"):
        gm.check(Stretch())


def test_a_result_prints_as_a_table():
    lines = str(gm.check(Stretch(claimed=1.4), PLANE)).splitlines()
    assert lines[0] == "Stretch: 3 passed, 1 failed"
    assert lines[-1].split()[:2] == ["log_det", "failed"]
    assert "above the limit" in lines[-1]


def test_equinox_modules_are_made_float64():
    from gaugemc.checks.precision import in_float64

    space = in_float64(Links(SUN(2), (2, 2), jnp.float32))
    assert isinstance(space, Links)
    assert space.random(jax.random.key(1)).dtype == jnp.complex128
    precise = in_float64(Gaussian(jnp.zeros(2, jnp.float32), jnp.eye(2, dtype=jnp.float32)))
    assert isinstance(precise, Gaussian)
    assert precise.covariance.dtype == precise.space.random(jax.random.key(1)).dtype == jnp.float64
    assert eqx.tree_equal(in_float64(precise), precise)
