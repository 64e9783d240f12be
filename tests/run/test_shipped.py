"""Models that come with the package are as good as the documents say."""

import shutil
from pathlib import Path
from typing import NamedTuple

import equinox as eqx
import jax
import numpy as np
import pytest
from composed import composed
from numpy.typing import ArrayLike

import gaugemc.run.shipped
from gaugemc.chains import sample
from gaugemc.choices.build import build_sampler, build_theory
from gaugemc.choices.option import SettingsError
from gaugemc.conf.preparation import check
from gaugemc.conf.study import STUDIES
from gaugemc.exact.solved import log_partition_function
from gaugemc.flows import Flow
from gaugemc.run.run_directory import RunDirectoryError
from gaugemc.run.shipped import FOLDER, shipped, trained_run
from gaugemc.run.train_phase import load_model
from gaugemc.run.trainee import build_trainee
from gaugemc.samplers import ExactU1, Sampler
from gaugemc.statistics.autocorrelation import estimate
from gaugemc.training import quality


class Stated(NamedTuple):
    """A number of the documents."""

    value: float
    error: float


SPLITS = ("flow=multiscale", "flow.start=identity")
FLOWS = {"gaugemc:couplings_8x8_beta6": SPLITS, "gaugemc:ncp_8x8_beta6": ("flow=ncp",)}
"""The settings of their flows."""
STATED = [
    ("gaugemc:ncp_8x8_beta6", 8, 2.09, Stated(0.14, 0.02)),
    ("gaugemc:couplings_8x8_beta6", 8, 0.0457, Stated(0.9324, 0.0018)),
    ("gaugemc:couplings_8x8_beta6", 16, 0.2247, Stated(0.7116, 0.0051)),
]
"""Extents of the lattice, D_KL and ESS at beta = 6."""
SERIES = {
    2.0: (Stated(0.8580, 0.0008), Stated(6.695, 0.056)),
    3.0: (Stated(0.6808, 0.0014), Stated(1.505, 0.016)),
    4.0: (Stated(0.5831, 0.0018), Stated(0.363, 0.005)),
    5.0: (Stated(0.5590, 0.0017), Stated(0.107, 0.002)),
    6.0: (Stated(0.8184, 0.0010), Stated(0.0113, 0.0005)),
    7.0: (Stated(0.8896, 0.0008), Stated(0.0015, 0.0002)),
}
"""By beta: acceptance on 16x16, and the mean squared change of the charge in a draw."""
TOYS = {
    "correlated_gaussian": (Stated(0.5765, 0.0011), "mean", Stated(1.444, 0.041)),
    "ill_conditioned_gaussian": (Stated(0.8353, 0.0005), "mean", Stated(1.813, 0.065)),
    "two_gaussians": (Stated(0.9882, 0.0004), "first_squared", Stated(4.74, 0.20)),
    "rough_well": (Stated(0.6916, 0.0008), "first", Stated(1.348, 0.035)),
}
"""By theory: acceptance, the slowest observable, and its tau_int in draws."""
LEAPFROGS = [
    *(f"gaugemc:series_16x16_beta{beta}" for beta in SERIES),
    *(f"gaugemc:{t}" for t in TOYS),
]

ERRORS = 5.0
"""Allowed. False alarms: 6e-7 for a normal number, at most 5e-6 where the error itself is the
spread of 64 chains."""


def member(*overrides: str) -> Sampler:
    """The sampler of a member of a paper's study, which trains nothing more."""
    settings = composed(*overrides)
    assert settings.training.steps == 0
    model = load_model(build_trainee(settings))[0]
    return build_sampler(settings, build_theory(settings), model)


def agrees(found: ArrayLike, stated: Stated) -> None:
    """The mean over independent chains is what was stated."""
    chains = np.asarray(found)
    error = np.hypot(chains.std(ddof=1) / len(chains) ** 0.5, stated.error)
    assert abs(chains.mean() - stated.value) < ERRORS * error


def test_all_models_are_here_and_small() -> None:
    assert shipped("flow") == sorted(FLOWS)
    assert shipped("dynamics") == sorted(LEAPFROGS)
    assert all(path.stat().st_size < 1e6 for path in FOLDER.rglob("*.ckpt"))


@pytest.mark.parametrize(("load", "extent", "kl", "ess"), STATED)
def test_a_flow_is_as_good_as_it_is_said_to_be(
    load: str, extent: int, kl: float, ess: Stated, key: jax.Array
) -> None:
    """False alarm: 2e-5 each, at 4.4 errors of both measurements; an ESS may be only a bound."""
    lattice = f"theory.lattice=[{extent},{extent}]"
    words = ("sampler=flow", *FLOWS[load], "theory.beta=6", lattice, "training.steps=0")
    trainee = build_trainee(composed(*words, f"flow.load={load}"))
    model = load_model(trainee)[0]
    assert isinstance(model, Flow)
    log_z = log_partition_function(trainee.theory)
    found = quality(model, trainee.theory, key, samples=4096, log_partition=log_z)
    assert found.kl is not None
    assert abs(found.kl - kl) < 4.4 * 2**0.5 * found.kl_error
    assert found.ess_bound or abs(found.ess - ess.value) < 4.4 * np.hypot(
        found.ess_error, ess.error
    )


@pytest.mark.parametrize("beta", SERIES)
def test_a_series_moves_the_charge_as_it_is_said_to(beta: float, key: jax.Array) -> None:
    """From 256 exact draws, 64 draws each. At beta = 7 the charge changes in 24 of them."""
    acceptance, moved = SERIES[beta]
    sampler = member("mode=paper_2105_03418", "member=series_l2hmc", f"theory.beta={beta}")
    start, run = jax.random.split(key)
    x = sample(ExactU1(sampler.theory), start, chains=256, draws=1, warmup=0).states.x
    states = eqx.filter_jit(lambda s, x: jax.vmap(s.state)(x))(sampler, x)
    draws = sample(sampler, run, states=states, draws=64, warmup=0).draws
    agrees(draws.info.acceptance.mean(axis=1), acceptance)
    agrees((np.diff(draws.observables["charge"], axis=1) ** 2).mean(axis=1), moved)


@pytest.mark.parametrize("toy", TOYS)
def test_a_toy_is_forgotten_as_fast_as_it_is_said_to_be(toy: str, key: jax.Array) -> None:
    acceptance, slowest, tau = TOYS[toy]
    sampler = member("mode=paper_1711_09268", "member=toy_l2hmc", f"theory={toy}")
    draws = sample(sampler, key, chains=64, draws=400, warmup=100).draws
    agrees(draws.info.acceptance.mean(axis=1), acceptance)
    found = estimate(draws.observables[slowest])
    assert not found.lower_bound
    assert abs(found.tau_int - tau.value) < ERRORS * np.hypot(found.tau_int_error, tau.error)


@pytest.mark.parametrize("kind", ["flow", "dynamics"])
def test_an_unknown_model_is_refused_with_all_names_of_its_kind(kind: str) -> None:
    with pytest.raises(RunDirectoryError, match=rf"choose {', '.join(shipped(kind))}$"):
        trained_run("gaugemc:nothing", kind)


def test_a_model_of_another_kind_is_refused_in_a_line_that_says_what_to_choose() -> None:
    for words, known in {
        f"flow.load={LEAPFROGS[0]}": FLOWS,
        f"sampler=l2hmc dynamics.load={next(iter(FLOWS))}": LEAPFROGS,
    }.items():
        with pytest.raises(SettingsError) as refused:
            check(composed(*words.split()))
        problem = f"the package has no such model: choose {', '.join(sorted(known))}"
        assert str(refused.value) == f"{words.split()[-1]}: {problem}"


def test_a_shipped_leapfrog_of_other_settings_is_refused_by_its_name() -> None:
    words = ("mode=paper_2105_03418", "member=series_l2hmc", "theory.beta=4")
    line = r"^dynamics.load=gaugemc:series_16x16_beta4.0: trained with dynamics.harmonics=8, not 5"
    with pytest.raises(SettingsError, match=line):
        check(composed(*words, "dynamics.harmonics=5"))


def test_a_damaged_model_of_the_package_is_installed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = next(iter(FLOWS))
    at = Path("flow") / load.removeprefix("gaugemc:")
    shutil.copytree(FOLDER / at, tmp_path / at)
    (checkpoint,) = (tmp_path / at).rglob("*.ckpt")
    checkpoint.write_bytes(checkpoint.read_bytes()[:-100])
    monkeypatch.setattr(gaugemc.run.shipped, "FOLDER", tmp_path)
    trainee = build_trainee(composed("sampler=flow", *FLOWS[load], f"flow.load={load}"))
    with pytest.raises(SettingsError, match=r"damaged.*; install gaugemc again$"):
        load_model(trainee)


def test_a_study_names_a_model_for_each_beta_and_theory() -> None:
    """Its betas and theories are those of the models, and long and quick forms load the same."""
    for mode in ("paper_2105_03418", "paper_2105_03418_quick"):
        for beta in STUDIES[mode]["hydra"]["sweeper"]["params"]["theory.beta"].split(","):
            made = composed(f"mode={mode}", "member=series_l2hmc", f"theory.beta={beta}")
            assert made.dynamics.load == f"gaugemc:series_16x16_beta{float(beta)}"
            assert made.dynamics.load in shipped("dynamics")
    for mode in ("paper_1711_09268", "paper_1711_09268_quick"):
        for toy in STUDIES[mode]["hydra"]["sweeper"]["params"]["theory"].split(","):
            made = composed(f"mode={mode}", "member=toy_l2hmc", f"theory={toy}")
            assert made.dynamics.load == f"gaugemc:{toy}"
            assert made.dynamics.load in shipped("dynamics")
