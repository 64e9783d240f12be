"""A SavedModel has the numbers of what it was made of, for any number of chains."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tensorflow as tf
from jaxtyping import Array

from gaugemc.flows import NCP, gauge_flow, stout_flow
from gaugemc.groups import SUN, U1
from gaugemc.interop.tensorflow import export
from gaugemc.spaces import Links
from gaugemc.theories import Wilson

pytestmark = pytest.mark.usefixtures("quick_compilation")


def test_force_and_flow_are_those_of_jax(key: Array, tmp_path: Path) -> None:
    links = Links(U1(), (4, 4), jnp.float64)
    theory = Wilson(links, 2.0).pullback(gauge_flow(key, links, NCP(), n_layers=2, hidden=[4]))
    export(theory, tmp_path / "saved")
    saved = tf.saved_model.load(str(tmp_path / "saved"))
    for chains in (1, 3):
        x = jax.vmap(theory.space.random)(jax.random.split(key, chains))
        physical, log_det = jax.vmap(theory.flow.forward)(x)
        for ours, theirs in (
            (jax.vmap(theory.action)(x), saved.action(x)),
            (jax.vmap(theory.force)(x), saved.force(x)),
            (physical, saved.forward(x)[0]),
            (log_det, saved.forward(x)[1]),
        ):
            np.testing.assert_allclose(theirs.numpy(), ours, rtol=1e-9, atol=1e-9)


def test_a_theory_without_a_flow_has_its_force_alone(key: Array, tmp_path: Path) -> None:
    theory = Wilson(Links(U1(), (4, 4), jnp.float32), 2.0)
    export(theory, tmp_path / "saved")
    saved = tf.saved_model.load(str(tmp_path / "saved"))
    x = theory.space.random(key)
    np.testing.assert_allclose(saved.force(x[None]).numpy()[0], theory.force(x), atol=1e-5)
    assert not hasattr(saved, "forward")


def test_what_calls_lapack_is_refused(tmp_path: Path) -> None:
    links = Links(SUN(2), (2, 2), jnp.float64)
    theory = Wilson(links, 2.0).pullback(stout_flow(links, sweeps=1, rho=0.05))
    with pytest.raises(ValueError, match=r"^action calls LAPACK, which TensorFlow cannot$"):
        export(theory, tmp_path / "saved")
