"""Chains that several devices share are those of one device, bit for bit."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import pytest

import gaugemc
from gaugemc.chains import sample
from gaugemc.samplers import HMC
from gaugemc.theories.toys import strongly_correlated_gaussian

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


def test_two_devices_make_the_draws_of_one() -> None:
    """With compiled kernels, whose calls are of a device each, and with networks."""
    environment = os.environ | {
        "PYTHONPATH": str(SOURCE),
        "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
    }
    done = subprocess.run(
        [sys.executable, "-c", TWO_DEVICES], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    hmc, l2hmc, native = done.stdout.splitlines()
    assert (hmc, l2hmc) == ("HMC True True", "L2HMC True True")
    assert native != "kernels 0"


def test_chains_that_cannot_be_shared_are_refused(key: jax.Array) -> None:
    hmc = HMC(strongly_correlated_gaussian(), 0.1, 2)
    with pytest.raises(ValueError, match="chains 3: 2 devices cannot share them equally"):
        sample(hmc, key, chains=3, draws=1, devices=jax.devices() * 2)
    with pytest.raises(ValueError, match="devices"):
        sample(hmc, key, chains=3, draws=1, devices=[])
