"""A module of PyTorch inside functions and samplers of JAX."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from torch import nn

import gaugemc as gm
from gaugemc.arrays import Field
from gaugemc.interop.torch import TorchFunction
from gaugemc.samplers.l2hmc.network import MomentumNetwork, Time
from gaugemc.samplers.l2hmc.updates import Outputs


def perceptron(inputs: int, outputs: int) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(inputs, 8), nn.Tanh(), nn.Linear(8, outputs)).double()


def same_in_jax(parameters: dict[str, jax.Array], x: jax.Array) -> jax.Array:
    hidden = jnp.tanh(parameters["0.weight"] @ x + parameters["0.bias"])
    return parameters["2.weight"] @ hidden + parameters["2.bias"]


def test_values_and_gradients_are_those_of_the_same_network_in_jax(key: jax.Array) -> None:
    """Compiled; over chains, over parameters, over both, and over one chain alone."""
    function = TorchFunction(perceptron(3, 2))
    for shape in ((3,), (5, 3), (1, 3), (4, 5, 3)):
        x = jax.random.normal(key, shape, jnp.float64)

        def loss(parameters: dict[str, jax.Array], x: jax.Array, here: bool) -> jax.Array:
            def of_one(x: jax.Array) -> jax.Array:
                if here:
                    return same_in_jax(parameters, x)
                return eqx.tree_at(lambda f: f.parameters, function, parameters)(x)

            for _ in x.shape[1:]:
                of_one = jax.vmap(of_one)
            return jnp.sum(jnp.sin(of_one(x)))

        both = jax.jit(jax.value_and_grad(loss, (0, 1)), static_argnums=2)
        ours, wanted = (both(function.parameters, x, here) for here in (False, True))
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12), ours, wanted)
    layers = jax.tree.map(lambda a: jnp.stack([a, 2 * a]), function.parameters)
    x = jax.random.normal(key, (3,), jnp.float64)
    many = jax.vmap(lambda p: eqx.tree_at(lambda f: f.parameters, function, p)(x))(layers)
    np.testing.assert_allclose(many, jax.vmap(lambda p: same_in_jax(p, x))(layers), rtol=1e-12)


class OfMatrices(nn.Module):
    """tr(a z z) of links of matrices, from numbers a."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor([0.7, -0.3], dtype=torch.float64))

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return torch.einsum("i,...ij,...ji->...", self.a + 0j, z, z)


def test_derivatives_by_matrices_and_of_complex_numbers_are_those_of_jax(key: jax.Array) -> None:
    """JAX and PyTorch have conjugate cotangents; what comes out is a force on links of SU(2)."""
    space, function = gm.Links(gm.SUN(2), (2, 2), jnp.float64), TorchFunction(OfMatrices())
    x = jax.vmap(space.random)(jax.random.split(key, 2))

    def of_jax(a: jax.Array, z: jax.Array) -> jax.Array:
        return jnp.einsum("i,...ij,...ji->...", a, z, z)

    def of_torch(a: jax.Array, z: jax.Array) -> jax.Array:
        return eqx.tree_at(lambda f: f.parameters["a"], function, a)(z)

    def slopes(of: Callable[..., jax.Array], z: jax.Array) -> tuple[jax.Array, jax.Array]:
        def action(a: jax.Array, z: jax.Array) -> jax.Array:
            return jnp.sum(of(a, z).real + 2 * of(a, z).imag)

        a = function.parameters["a"]
        return jax.grad(action)(a, z), space.gradient(lambda z: action(a, z))(z)

    ours, wanted = (jax.jit(jax.vmap(lambda z, f=f: slopes(f, z)))(x) for f in (of_torch, of_jax))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-12), ours, wanted)


class OfTorch(MomentumNetwork):
    """s, t and q of angles from a module."""

    function: TorchFunction

    def __call__(self, x: Field, force: Field, time: Time) -> Outputs:
        features = jnp.concatenate([a.ravel() for a in (jnp.cos(x), jnp.sin(x), force, time)])
        return Outputs(*self.function(features).reshape(3, *x.shape))


def test_a_sampler_with_a_module_inside_is_reversible_and_trained(key: jax.Array) -> None:
    """The map and its inverse, the log-det of the map, and a loss that falls."""
    space = gm.Links(gm.U1(), (2, 2), jnp.float64)
    theory = gm.Wilson(space, 2.0)
    model = gm.trainable_leapfrog(key, space, n_layers=2, x_networks=0)
    one = perceptron(3 * 8 + 2, 3 * 8)
    stacked = TorchFunction(one)
    parameters = jax.tree.map(lambda a: jnp.stack([a, 0.5 * a]), stacked.parameters)
    network = OfTorch(eqx.tree_at(lambda f: f.parameters, stacked, parameters))
    model = eqx.tree_at(lambda m: m.momentum, model, network)
    checked = gm.check(gm.L2HMC(theory, model), key=key, chains=4, draws=20)
    assert [checked[name].passed for name in ("reversibility", "log_det")] == [True, True]
    fitted = gm.fit(model, theory, key, steps=20, batch=8)
    assert np.isfinite(fitted.metrics.loss).all()


def test_what_is_no_function_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^parameter weight: must be real, not torch.complex64$"):
        TorchFunction(nn.Linear(2, 2, dtype=torch.complex64))
