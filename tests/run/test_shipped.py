"""Models that come with the package are as good as docs/reproduction.md says."""

import jax
import pytest
from composed import composed

from gaugemc.exact.solved import log_partition_function
from gaugemc.flows import Flow
from gaugemc.run.run_directory import RunDirectoryError
from gaugemc.run.shipped import FOLDER, shipped, trained_run
from gaugemc.run.train_phase import load_model
from gaugemc.run.trainee import build_trainee
from gaugemc.training import quality

MODELS = {"gaugemc:ncp_8x8_beta6": ("flow=ncp", 2.10)}
"""Their flow, and D_KL at beta = 6 on 8x8, as the documents have it."""


def test_all_models_are_here_and_small() -> None:
    assert shipped() == sorted(MODELS)
    assert all(path.stat().st_size < 1e6 for path in FOLDER.rglob("*.ckpt"))


@pytest.mark.parametrize("load", MODELS)
def test_a_model_is_as_good_as_it_is_said_to_be(load: str, key: jax.Array) -> None:
    """False alarm: 1e-5, at 4.4 errors of both measurements."""
    flow, stated = MODELS[load]
    trainee = build_trainee(
        composed("sampler=flow", flow, "theory.beta=6", f"flow.load={load}", "training.steps=0")
    )
    model = load_model(trainee)[0]
    assert isinstance(model, Flow)
    log_z = log_partition_function(trainee.theory)
    found = quality(model, trainee.theory, key, samples=4096, log_partition=log_z)
    assert found.kl is not None
    assert abs(found.kl - stated) < 4.4 * 2**0.5 * found.kl_error


def test_an_unknown_model_is_refused_with_all_names() -> None:
    with pytest.raises(RunDirectoryError, match=f"choose {sorted(MODELS)[0]}"):
        trained_run("gaugemc:nothing")
