"""What several devices share: chains, bit for bit, and lattices and batches, to rounding."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import pytest

import gaugemc
from gaugemc.chains import sample
from gaugemc.flows import vector_flow
from gaugemc.groups import U1
from gaugemc.samplers import HMC
from gaugemc.spaces import Links
from gaugemc.theories import Wilson
from gaugemc.theories.toys import strongly_correlated_gaussian
from gaugemc.training import BetaSchedule, ReverseKL, start_training
from gaugemc.training.schedule import optimiser
from gaugemc.training.train import train

SOURCE = Path(str(gaugemc.__file__)).parents[1]

TWO_DEVICES = """
import jax, numpy as np
jax.config.update("jax_enable_x64", True)
import gaugemc as gm
from gaugemc.kernels.native.calls import kernels
from gaugemc.samplers import trainable_leapfrog
key = jax.random.key(3)
theory = gm.Wilson(gm.Links(gm.U1(), (8, 8)), beta=3.0)
leapfrog = trainable_leapfrog(key, theory.space, n_layers=1, hidden=[16])
assert len(jax.devices()) == 2
for sampler in (gm.HMC(theory, 0.2, 4), gm.L2HMC(theory, leapfrog)):
    # With 64 chains XLA would add up the actions in another order than with 32.
    one, two = (
        gm.sample(sampler, key, chains=64, draws=5, warmup=2, devices=jax.devices()[:n])
        for n in (1, 2)
    )
    assert {len(leaf.sharding.device_set) for leaf in jax.tree.leaves(two.states)} == {2}
    on = gm.sample(sampler, key, draws=3, warmup=0, states=two.states)  # go on on both
    alone = gm.sample(sampler, key, draws=3, warmup=0, states=one.states)
    same = [np.array_equal(a, b) for a, b in zip(*map(jax.tree.leaves, ((one, alone), (two, on))))]
    print(type(sampler).__name__, all(same), len(same) > 10)
print("kernels", len(kernels(1, np.float64)))
"""

SHARED_LATTICES = """
import json, jax, numpy as np
jax.config.update("jax_enable_x64", True)
jax.config.update("jax_disable_most_optimizations", True)  # of what a device does by itself
import gaugemc as gm
from cut_lattice import measured
from gaugemc.chains.measurement import Measurement
from gaugemc.mesh import mesh_for
from gaugemc.observables.flowed_energy import FlowedEnergy
from gaugemc.theories.gradient_flow import stable_flow

def compare(one, two):
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(two), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-9)

devices = jax.devices()
whole, cut = measured(None), measured(mesh_for(devices, 2))
compare(whole[0], cut[0])
key = jax.random.key(3)
theory = gm.Wilson(gm.Links(gm.U1(), (8, 4)), beta=3.0)
flowed = Measurement(more=(FlowedEnergy(stable_flow(theory.space), (0.0, 0.5)),))
for sampler in (gm.HMC(theory, 0.2, 4), gm.Heatbath(theory, 1)):
    one, two = (
        gm.sample(
            sampler, key, chains=2, draws=3, warmup=1, measurement=flowed, devices=d, parts=len(d)
        )
        for d in (devices[:1], devices)
    )
    compare(one, two)
    assert two.draws.info.accepted.all(), two.draws.info
    assert {leaf.shape: leaf.addressable_shards[0].data.shape for leaf in two.states} == {
        (2, 2, 8, 4): (2, 2, 4, 4), **({(2,): (2,)} if len(two.states) > 1 else {})
    }
print(json.dumps([whole[1], cut[1]]))
"""


def two_devices(script: str) -> str:
    """What a script prints that has two devices."""
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join((str(SOURCE), str(Path(__file__).parent))),
        "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
    }
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_two_devices_make_the_draws_of_one() -> None:
    """With compiled kernels, whose calls are of a device each, and with networks."""
    hmc, l2hmc, native = two_devices(TWO_DEVICES).splitlines()
    assert (hmc, l2hmc) == ("HMC True True", "L2HMC True True")
    assert native != "kernels 0"


def test_two_devices_share_a_lattice() -> None:
    """A shift across the cut is one exchange, a sum one more; nobody gets the whole lattice.

    In d dimensions d - 1 planes are cut. Each plaquette there needs a link from beyond the cut, and
    each force a force besides.
    """
    whole, cut = json.loads(two_devices(SHARED_LATTICES))
    assert set(map(len, whole.values())) == {0}
    for name, planes in (("U(1)", 1), ("SU(3)", 3)):
        for what in ("action", "plaquette"):
            assert cut[f"{name} {what}"] == {"collective-permute": planes, "all-reduce": 1}
        assert cut[f"{name} force"] == {"collective-permute": 2 * planes}


def test_what_cannot_be_shared_is_refused(key: jax.Array) -> None:
    hmc = HMC(strongly_correlated_gaussian(), 0.1, 2)
    two = jax.devices() * 2
    with pytest.raises(ValueError, match="chains 3: 2 devices cannot share them equally"):
        sample(hmc, key, chains=3, draws=1, devices=two)
    with pytest.raises(ValueError, match="devices"):
        sample(hmc, key, chains=3, draws=1, devices=[])
    with pytest.raises(ValueError, match="parts 3: do not divide 2 devices"):
        sample(hmc, key, chains=3, draws=1, devices=two, parts=3)
    with pytest.raises(ValueError, match="parts 2: a vector cannot be cut"):
        sample(hmc, key, chains=3, draws=1, devices=two, parts=2)
    odd = HMC(Wilson(Links(U1(), (3, 4)), 1.0), 0.1, 2)
    with pytest.raises(ValueError, match="parts 2: extent 3 of direction 0 cannot be cut"):
        sample(odd, key, chains=1, draws=1, devices=two, parts=2)


TOY, BETA = strongly_correlated_gaussian(), BetaSchedule(1.0, 10)


def test_a_batch_that_cannot_be_shared_is_refused(key: jax.Array) -> None:
    flow = vector_flow(key, TOY.space, n_layers=2, width=4)
    adam = optimiser(1e-3, 10)
    state, two = start_training(flow, adam), jax.devices() * 2
    with pytest.raises(ValueError, match="batch 7: 2 devices cannot share it equally"):
        next(train(ReverseKL(TOY, 7, BETA), adam, state, key, 10, 10, two))
