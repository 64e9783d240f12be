"""The best model of a training: what is kept, and which model is used in the end."""

import math
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from gaugemc.choices.build import Model
from gaugemc.flows import Chain, Flow
from gaugemc.io.checkpoint import CheckpointError
from gaugemc.run.best import Best, load_best, save_best, settle
from gaugemc.run.run_directory import RunDirectory


class Marked(Flow):
    """A flow that is told by a number."""

    mark: jnp.ndarray

    def forward(self, z):
        return z, jnp.zeros(())

    def inverse(self, x):
        return x, jnp.zeros(())


def best(step: int, loss: float, error: float = 0.1) -> Best:
    return Best(Marked(jnp.asarray(float(step))), step, measured(loss, error))


def measured(loss: float, error: float = 0.1) -> dict[str, float]:
    return {"loss": loss, "loss_error": error, "kl": loss + 100, "kl_error": error}


@pytest.fixture
def directory(tmp_path: Path) -> RunDirectory:
    (tmp_path / "checkpoints").mkdir()
    return RunDirectory(tmp_path)


def test_the_smallest_loss_is_the_best() -> None:
    nan = best(3, math.nan)
    assert best(1, -5.0).beats(None)
    assert best(2, -6.0).beats(best(1, -5.0))
    assert not best(2, -5.0).beats(best(1, -5.0))
    ended = settle(None, best(1, -5.0), lambda model: measured(0.0))
    assert not best(1, -6.0).beats(ended)
    assert not nan.beats(None)
    assert not nan.beats(best(1, -5.0))


def test_the_last_model_is_used_unless_it_is_significantly_worse() -> None:
    """By five errors of both, 5 sqrt(0.1^2 + 0.1^2) = 0.71, from its measurement anew."""
    kept = best(10, -99.0)
    for loss, step in ((-4.0, 10), (-4.28, 10), (-4.30, 30), (-6.0, 30), (math.nan, 10)):
        used = settle(kept, best(30, loss), lambda model: measured(-5.0))
        assert used.step == step
        assert used.end == 30
        assert isinstance(used.model, Marked)
        assert used.model.mark == step
        assert used.measured["loss"] == pytest.approx(-5.0 if step == 10 else loss)
        assert used.last is not None
        np.testing.assert_equal(used.last["loss"], loss)
        assert (used.warning is None) == (step == 30)


def test_a_best_that_cannot_be_measured_again_is_not_used() -> None:
    used = settle(best(10, -9.0), best(30, -1.0), lambda model: measured(math.nan))
    assert used.step == 30


def test_without_a_best_the_last_is_used() -> None:
    def never(model: Model) -> dict[str, float]:
        raise AssertionError

    assert settle(None, best(30, math.nan), never).step == 30
    last = settle(best(30, -5.0), best(30, -5.0), never)
    assert last.step == last.end == 30
    assert last.warning is None


def test_the_warning_says_both_qualities() -> None:
    used = settle(best(10, -88.8), best(30, -43.0, 3.0), lambda model: measured(-88.8))
    assert used.warning is not None
    assert "step 10 (D_KL 11.20(10))" in used.warning
    assert "last one (D_KL 57(3))" in used.warning


def test_one_best_is_kept(directory: RunDirectory) -> None:
    assert load_best(directory, Marked(jnp.asarray(0.0))) is None
    for step in (5, 10):
        save_best(directory, best(step, -step))
        found = load_best(directory, Marked(jnp.asarray(0.0)))
        assert found is not None
        assert found == best(step, -step)
    settled = settle(best(10, -10.0), best(20, -1.0), lambda model: measured(-9.0))
    save_best(directory, settled)
    assert load_best(directory, Marked(jnp.asarray(0.0))) == settled
    assert [p.name for p in directory.checkpoints.iterdir()] == ["best-00000010.ckpt"]


def test_a_damaged_best_is_loud(directory: RunDirectory) -> None:
    save_best(directory, best(5, -5.0))
    path = next(directory.checkpoints.iterdir())
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match="best-00000005"):
        load_best(directory, Marked(jnp.asarray(0.0)))


def test_another_architecture_is_refused(directory: RunDirectory) -> None:
    save_best(directory, best(5, -5.0))
    with pytest.raises(CheckpointError, match="another architecture"):
        load_best(directory, Chain(()))
