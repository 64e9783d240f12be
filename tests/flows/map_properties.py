"""What every exact flow of links has: its log-det, its inverse, its symmetries."""

from collections.abc import Callable, Iterable

import equinox as eqx
import jax
import jax.numpy as jnp
import pytest
from jaxtyping import Array
from programs import forward, inverse

from gaugemc.checks.tangent import basis, log_det_error
from gaugemc.flows import Flow
from gaugemc.lattice import gauge_transform
from gaugemc.spaces import Links

Change = Callable[[Array], Array]


def dense_error(flow: Flow, space: Links, z: Array) -> float:
    """The largest difference of the log-det from that of the dense autodiff Jacobian."""
    momenta = jnp.asarray(basis(space))
    return float(eqx.filter_jit(lambda f: log_det_error(f.forward, z, momenta, space.move))(flow))


def assert_undone(
    flow: Flow, space: Links, z: Array, moved: float, *, links: float = 1e-12, log: float = 1e-10
) -> None:
    """The inverse undoes forward to rounding, where forward moves a link by more than `moved`."""
    x, log_det = forward(flow, z)
    again, minus_log_det = inverse(flow, x)
    assert float(space.distance(z, again)) < links
    assert float(log_det + minus_log_det) == pytest.approx(0, abs=log)
    assert float(space.distance(z, x)) > moved


def assert_commutes(
    flow: Flow, space: Links, z: Array, changes: Iterable[Change], *, log: float = 1e-10
) -> None:
    """The flow of the changed field is the changed flow of the field, with the same log-det."""
    x, log_det = forward(flow, z)
    for change in changes:
        x_of_changed, same = forward(flow, change(z))
        assert float(space.distance(x_of_changed, change(x))) < 1e-12
        assert float(same) == pytest.approx(float(log_det), abs=log)


def gauge_change(space: Links, key: Array) -> Change:
    """A random gauge transformation."""
    group = space.group
    omega = group.random(jax.random.fold_in(key, 1), space.lattice, space.dtype)
    return lambda field: gauge_transform(group, field, omega)
