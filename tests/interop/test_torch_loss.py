"""Losses as modules of PyTorch: gradients, names, and who owns which memory."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from jaxtyping import Array

from gaugemc.flows import vector_flow
from gaugemc.interop.torch import Loss
from gaugemc.interop.torch.arrays import lent, own
from gaugemc.io.checkpoint import save_checkpoint
from gaugemc.spaces import Euclidean
from gaugemc.training.train import loss_at

KEY = jax.random.key(0)


class Pair(eqx.Module):
    """Two trained arrays, and one that is not."""

    a: Array
    b: Array
    fixed: Array

    @classmethod
    def of(cls, n: int = 16, dtype: Any = jnp.float64) -> "Pair":
        return cls(jnp.arange(1.0, n + 1, dtype=dtype), jnp.ones(n, dtype), jnp.arange(n))


def product(model: Pair, key: Array, step: Array) -> Array:
    """Its derivative by a is b itself, and by b is a itself."""
    return jnp.sum(model.a * model.b)


def noisy(model: Pair, key: Array, step: Array) -> Array:
    return jnp.sum(model.a**2 * jax.random.normal(key, model.b.shape)) + step * jnp.sum(model.b)


def moving(model: Pair, key: Array, step: Array, chains: Any) -> tuple[Array, Any]:
    """A loss with chains, one of which stands still."""
    still, moved = chains
    return jnp.sum(model.a * still), (still, moved + 1)


def grad(parameter: torch.Tensor) -> np.ndarray:
    assert parameter.grad is not None
    return parameter.grad.numpy()


def test_the_loss_and_its_gradient_are_those_of_jax() -> None:
    model = Pair.of()
    expected, gradient = eqx.filter_value_and_grad(
        lambda m: loss_at(noisy, m, KEY, jnp.int32(3))[0]
    )(model)
    loss = Loss(noisy, model, KEY)
    value = loss(3)
    (2 * value).backward()
    np.testing.assert_allclose(value.item(), expected, rtol=1e-14)
    np.testing.assert_allclose(grad(loss.model.get_parameter("a")), 2 * gradient.a, rtol=1e-14)
    np.testing.assert_allclose(grad(loss.model.get_parameter("b")), 2 * gradient.b, rtol=1e-14)


def test_a_complex_gradient_points_uphill_in_pytorch() -> None:
    """|z - c|^2 has the gradient 2 (z - c) there; JAX's is its conjugate."""
    aim = 1.0 + 2.0j

    def distance(model: Array, key: Array, step: Array) -> Array:
        return jnp.sum(jnp.abs(model - aim) ** 2)

    loss = Loss(distance, jnp.array([0.5 - 1.0j, 2.0j]), KEY)
    (parameter,) = loss.parameters()
    loss(0).backward()
    np.testing.assert_allclose(grad(parameter), 2 * (parameter.detach().numpy() - aim))
    optimiser = torch.optim.SGD(loss.parameters(), lr=0.25)
    for step in range(60):
        optimiser.zero_grad()
        loss(step).backward()
        optimiser.step()
    np.testing.assert_allclose(parameter.detach().numpy(), [aim, aim], atol=1e-12)


def test_names_are_those_of_checkpoints(key: Array, tmp_path: Any) -> None:
    flow = vector_flow(key, Euclidean((2,)), n_layers=2)
    save_checkpoint(tmp_path / "flow.ckpt", flow, {})
    stored = (tmp_path / "flow.ckpt").read_bytes().decode("latin-1")
    loss = Loss(product, flow, key)
    leaves = [leaf for leaf in jax.tree.leaves(flow) if eqx.is_inexact_array(leaf)]
    assert len(loss.state_dict()) == len(leaves) > 0
    for name in loss.model.leaves.names:
        parts = [f"[{p}]" if p.isdigit() else f".{p}" for p in name.split(".")]
        assert f'"name": "{"".join(parts)}"' in stored
    for name, leaf in zip(loss.model.leaves.names, leaves, strict=True):
        np.testing.assert_array_equal(loss.state_dict()[f"model.{name}"].numpy(), leaf)


def test_jax_looks_at_the_memory_of_a_tensor() -> None:
    tensor = torch.arange(64, dtype=torch.float64)
    assert lent(tensor).unsafe_buffer_pointer() == tensor.data_ptr()
    turned = torch.arange(6.0).reshape(2, 3).t()
    np.testing.assert_array_equal(np.asarray(lent(turned)), turned.numpy())


def test_writing_in_place_changes_no_array_of_jax() -> None:
    """Not the model that the loss was made of, nor one that it gave away."""
    model, array = Pair.of(), jnp.arange(16.0)
    before = jax.tree.map(np.array, model)
    own(array).zero_()
    np.testing.assert_array_equal(array, np.arange(16.0))
    loss = Loss(product, model, KEY)
    given = loss.model()
    with torch.no_grad():
        for parameter in loss.parameters():
            parameter.zero_()
    for one, other in ((model, before), (given, before)):
        for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
            np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(loss.model().a, np.zeros(16))
    np.testing.assert_array_equal(loss.model().fixed, np.arange(16))


def test_writing_to_a_gradient_changes_nothing_else() -> None:
    """The gradients are the other parameter's numbers, and must not be its memory."""
    loss = Loss(product, Pair.of(), KEY)
    a, b = (loss.model.get_parameter(name) for name in ("a", "b"))
    loss(0).backward()
    for parameter in (a, b):
        assert parameter.grad is not None
        parameter.grad.zero_()
    np.testing.assert_array_equal(a.detach().numpy(), np.arange(1.0, 17))
    np.testing.assert_array_equal(b.detach().numpy(), np.ones(16))


def test_chains_come_back_in_memory_of_their_own() -> None:
    loss = Loss(moving, Pair.of(), KEY)
    chains = (torch.full((16,), 2.0, dtype=torch.float64), torch.zeros(16, dtype=torch.float64))
    value, (still, moved) = loss(0, chains)
    still.zero_()
    assert chains[0].sum().item() == 32
    assert moved.sum().item() == 16
    assert not still.requires_grad
    value.backward()
    np.testing.assert_array_equal(grad(loss.model.get_parameter("a")), np.full(16, 2.0))


def test_without_gradients_there_is_the_value_alone() -> None:
    loss = Loss(noisy, Pair.of(), KEY)
    with torch.no_grad():
        value = loss(2)
    assert not value.requires_grad
    assert value.item() == pytest.approx(loss(2).item(), rel=1e-14)


def test_any_optimiser_of_pytorch_trains(key: Array) -> None:
    def valley(model: Array, key: Array, step: Array) -> Array:
        return jnp.sum((model - jnp.arange(3)) ** 2)

    loss = Loss(valley, jnp.zeros(3), key)
    optimiser = torch.optim.LBFGS(loss.parameters())

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        value = loss(0)
        value.backward()
        return value

    optimiser.step(closure)
    np.testing.assert_allclose(loss.model(), np.arange(3.0), atol=1e-6)
