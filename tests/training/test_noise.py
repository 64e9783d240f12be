"""The watch for clipped gradients that have become noise."""

import json

import numpy as np
import pytest

from gaugemc.training.noise import NoiseWatch, noise_watch

STEPS = 2000


def norms(size: np.ndarray | float, seed: int = 1) -> np.ndarray:
    """Heavy-tailed norms about a size: one step in fifty is ten thousand times larger."""
    rng = np.random.default_rng(seed)
    spikes = np.where(rng.random(STEPS) < 0.02, 1e4, 1.0)
    return size * spikes * np.exp(rng.normal(size=STEPS))


def test_spikes_growth_and_decay_are_no_noise() -> None:
    """Growth by a hundred, as in annealing, is none either."""
    for size in (7.0, np.geomspace(1, 100, STEPS), np.geomspace(100, 0.1, STEPS)):
        watch = noise_watch(STEPS, 1.0).after(norms(size))
        assert watch.warning is None
        assert watch.early is not None


def test_the_first_window_of_noise_is_named() -> None:
    """From step 1300 on everything is 5e4 times larger: the window of steps 1300 to 1399."""
    size = np.where(np.arange(STEPS) < 1300, 5.0, 2.5e5)
    watch = noise_watch(STEPS, 1.0).after(norms(size))
    assert watch.step == 1300
    assert watch.median == pytest.approx(2.5e5, rel=0.5)
    assert watch.early == pytest.approx(5, rel=0.5)
    assert watch.warning is not None
    assert "from step 1300 on" in watch.warning
    for advice in ("learning_rate", "anneal", "steps", "fp64"):
        assert advice in watch.warning


def test_norms_that_are_not_clipped_are_no_noise() -> None:
    """A training that starts at its optimum: its gradient was tiny, and is still small."""
    size = np.where(np.arange(STEPS) < 1000, 1e-6, 0.01)
    assert noise_watch(STEPS, 1.0).after(norms(size)).warning is None
    assert noise_watch(STEPS, 1e-4).after(norms(size)).warning is not None


@pytest.mark.parametrize("steps", [0, 1, 6, 40])
def test_short_trainings_are_watched_too(steps: int) -> None:
    watch = noise_watch(steps, 1.0)
    assert watch.after(np.full(steps, 1e9)).warning is None
    if steps == 40:
        rising = np.where(np.arange(40) < 30, 1.0, 1e5)
        assert watch.after(rising).step == 30


def test_it_goes_on_from_a_checkpoint_whatever_the_chunks() -> None:
    size = np.where(np.arange(STEPS) < 1330, 5.0, 2.5e5)
    seen = norms(size)
    whole = noise_watch(STEPS, 1.0).after(seen)
    parts = noise_watch(STEPS, 1.0)
    for part in np.array_split(seen, 37):
        parts = NoiseWatch.restored(json.loads(json.dumps(parts._asdict()))).after(part)
    assert parts == whole
