"""Models that come with the package are as good as docs/training.md says."""

import jax
import numpy as np
import pytest
from composed import composed

from gaugemc.exact.solved import log_partition_function
from gaugemc.flows import Flow
from gaugemc.run.run_directory import RunDirectoryError
from gaugemc.run.shipped import FOLDER, shipped, trained_run
from gaugemc.run.train_phase import load_model
from gaugemc.run.trainee import build_trainee
from gaugemc.training import quality

SPLITS = ("flow=multiscale", "flow.start=identity")
MODELS = {"gaugemc:couplings_8x8_beta6": SPLITS, "gaugemc:ncp_8x8_beta6": ("flow=ncp",)}
"""The settings of their flows."""
STATED = [
    ("gaugemc:ncp_8x8_beta6", 8, 2.09, 0.14, 0.02),
    ("gaugemc:couplings_8x8_beta6", 8, 0.0457, 0.9324, 0.0018),
    ("gaugemc:couplings_8x8_beta6", 16, 0.2247, 0.7116, 0.0051),
]
"""Extents of the lattice; D_KL, ESS and its error at beta = 6, as the documents have them."""


def test_all_models_are_here_and_small() -> None:
    assert shipped() == sorted(MODELS)
    assert all(path.stat().st_size < 1e6 for path in FOLDER.rglob("*.ckpt"))


@pytest.mark.parametrize(("load", "extent", "kl", "ess", "ess_error"), STATED)
def test_a_model_is_as_good_as_it_is_said_to_be(
    load: str, extent: int, kl: float, ess: float, ess_error: float, key: jax.Array
) -> None:
    """False alarm: 2e-5 each, at 4.4 errors of both measurements; an ESS may be only a bound."""
    lattice = f"theory.lattice=[{extent},{extent}]"
    words = ("sampler=flow", *MODELS[load], "theory.beta=6", lattice, "training.steps=0")
    trainee = build_trainee(composed(*words, f"flow.load={load}"))
    model = load_model(trainee)[0]
    assert isinstance(model, Flow)
    log_z = log_partition_function(trainee.theory)
    found = quality(model, trainee.theory, key, samples=4096, log_partition=log_z)
    assert found.kl is not None
    assert abs(found.kl - kl) < 4.4 * 2**0.5 * found.kl_error
    assert found.ess_bound or abs(found.ess - ess) < 4.4 * np.hypot(found.ess_error, ess_error)


def test_an_unknown_model_is_refused_with_all_names() -> None:
    with pytest.raises(RunDirectoryError, match=f"choose {sorted(MODELS)[0]}"):
        trained_run("gaugemc:nothing")
