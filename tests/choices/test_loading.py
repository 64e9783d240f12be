"""What a loaded model must share with the run that loads it."""

import pytest

from gaugemc.choices.loading import misfit
from gaugemc.conf.composition import composed

STOUT = "theory=su3_2d flow=stout"
CONTINUOUS = "theory=su2_2d flow=continuous"
COUPLINGS = "theory=su3_4d sampler=l2hmc"


@pytest.mark.parametrize(
    ("stored", "wanted", "said"),
    [
        (
            f"{STOUT} flow.sweeps=2",
            f"{STOUT} flow.sweeps=1",
            "trained with flow.sweeps=2, not 1: set flow.sweeps=2",
        ),
        (
            f"{STOUT} flow.rectangles=true",
            "theory=su3_2d flow=continuous",
            "holds flow=stout, not continuous: set flow=stout",
        ),
        (
            f"{CONTINUOUS} flow.degree=1 flow.powers=3",
            CONTINUOUS,
            "trained with flow.degree=1, not 2, flow.powers=3, not 2: set flow.degree=1"
            " flow.powers=3",
        ),
        (
            "theory=su2_2d flow=multiscale flow.stages=4",
            "theory=su2_2d flow=multiscale",
            "trained with flow.stages=4, not 8: set flow.stages=4",
        ),
        (
            f"{STOUT} flow.network=true network.hidden=[4]",
            f"{STOUT} flow.network=true",
            "trained with network.hidden=[4], not [8,8]: set network.hidden=[4]",
        ),
        (
            f"{STOUT} flow.rectangles=true",
            STOUT,
            "trained with flow.rectangles=true, not false: set flow.rectangles=true",
        ),
        (STOUT, "theory=su2_2d flow=stout", "trained for theory.group=SU3, not SU2"),
        (STOUT, "theory=su3_4d flow=stout", "trained in 2D, not in 4D"),
        ("sampler=hmc", "flow=ncp", "is a run of sampler=hmc, which trains no flow"),
        (
            "sampler=l2hmc dynamics.n_leapfrog=3",
            "sampler=l2hmc",
            "trained with dynamics.n_leapfrog=3, not 4: set dynamics.n_leapfrog=3",
        ),
        (
            f"{COUPLINGS} theory.lattice=[8,8,8,8]",
            f"{COUPLINGS} theory.lattice=[16,16,16,16]",
            "trained with dynamics.eps=0.14, not 0.099: set dynamics.eps=0.14",
        ),
        (
            "flow=ncp",
            "flow=ncp precision=fp64",
            "trained with precision=fp32, not fp64: set precision=fp32",
        ),
        ("flow=ncp precision=bf16", "flow=ncp precision=fp32", ""),
        (
            "theory=ring sampler=l2hmc",
            "sampler=l2hmc",
            "trained for the ring, not 2D U(1)",
        ),
        (STOUT, f"{STOUT} flow.rho=0.1 network.hidden=[2] theory.lattice=[4,4] seed=2", ""),
        (CONTINUOUS, f"{CONTINUOUS} flow.steps=9 theory.beta=2 sampler=flow", ""),
        ("flow=multiscale", "flow=multiscale flow.stages=2", ""),
        (
            "flow=multiscale flow.start=identity",
            "flow=multiscale",
            "trained with flow.start=identity, not quantiles: set flow.start=identity",
        ),
    ],
)
def test_the_first_difference_is_named_and_what_to_set(stored: str, wanted: str, said: str) -> None:
    """Starting values, and what a choice does not use, may differ."""
    assert misfit(composed(stored.split()), composed(wanted.split())) == said
