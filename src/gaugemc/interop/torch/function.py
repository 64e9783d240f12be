"""A module of PyTorch as a function in JAX: a network inside our samplers."""

import copy
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import torch
from jaxtyping import Array, PyTree, Shaped
from torch import nn

Parameters = dict[str, Array]


class TorchFunction(eqx.Module):
    """A module that takes tensors and returns one; its parameters are arrays that JAX trains.

    Each call leaves the compiled program, and so does each derivative, which is PyTorch's. There
    are derivatives of first order, backwards. Many chains are one call. The module is copied, and
    set to `eval()`: a function has no dropout and keeps no statistics of batches.

    Args:
        module: must be traceable by `torch.func.vmap`, as modules are that branch on no numbers.

    Raises:
        ValueError: a parameter is not real.
    """

    parameters: Parameters
    module: nn.Module = eqx.field(static=True)

    def __init__(self, module: nn.Module):
        for name, parameter in module.named_parameters():
            if not parameter.is_floating_point():
                raise ValueError(f"parameter {name}: must be real, not {parameter.dtype}")
        self.module = copy.deepcopy(module).eval().requires_grad_(False)
        found = self.module.named_parameters()
        self.parameters = {name: jnp.asarray(p.cpu().numpy().copy()) for name, p in found}

    def __call__(self, *inputs: Shaped[Array, "..."]) -> Array:
        """What the module returns for inputs without an axis of chains."""
        return _differentiable((self.parameters, inputs), self.module)


@eqx.filter_custom_vjp
def _differentiable(arguments: tuple[Parameters, tuple[Array, ...]], module: nn.Module) -> Array:
    shapes = jax.tree.map(lambda a: torch.zeros(a.shape, dtype=_dtype(a)), arguments)
    out = _of(module, *shapes)
    like = jax.ShapeDtypeStruct(tuple(out.shape), out.numpy().dtype)
    return _outside(lambda *at: _of(module, *at), like, *arguments)


@_differentiable.def_fwd
def _forward(_: Any, arguments: Any, module: nn.Module) -> tuple[Array, None]:
    return _differentiable(arguments, module), None


@_differentiable.def_bwd
def _backward(
    _: None, cotangent: Array, __: Any, arguments: Any, module: nn.Module
) -> tuple[Parameters, tuple[Array, ...]]:
    def pull(parameters: Any, inputs: Any, cotangent: torch.Tensor) -> Any:
        _, back = torch.func.vjp(lambda *at: _of(module, *at), parameters, inputs)
        # Of complex numbers PyTorch's cotangents are the conjugates of JAX's.
        return jax.tree.map(lambda g: g.conj().resolve_conj(), back(cotangent.conj()))

    like = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), arguments)
    return _outside(pull, like, *arguments, cotangent)


def _of(module: nn.Module, parameters: Any, inputs: Any) -> torch.Tensor:
    return torch.func.functional_call(module, parameters, inputs)


def _dtype(array: Any) -> torch.dtype:
    return torch.from_numpy(np.empty(0, array.dtype)).dtype


def _outside(function: Callable[..., PyTree], like: PyTree, *arguments: PyTree) -> PyTree:
    """A function of pytrees of tensors, called from within a compiled program."""
    leaves, structure = jax.tree.flatten(arguments)
    rank = np.ndim(leaves[0])

    def call(*found: Any) -> PyTree:
        tensors = [torch.from_numpy(np.array(leaf)) for leaf in found]
        of_leaves = lambda *flat: function(*jax.tree.unflatten(structure, flat))  # noqa: E731
        result = _mapped(of_leaves, tensors[0].ndim - rank)(*tensors)
        return jax.tree.map(lambda tensor: tensor.numpy(), result)

    return jax.pure_callback(call, like, *leaves, vmap_method="expand_dims")


def _mapped(function: Callable[..., PyTree], depth: int) -> Callable[..., PyTree]:
    """A function over so many leading axes more, which have the length 1 where nothing depends."""
    if depth == 0:
        return function
    inner = _mapped(function, depth - 1)

    def outer(*leaves: torch.Tensor) -> PyTree:
        axes = tuple(0 if len(leaf) > 1 else None for leaf in leaves)
        within = [leaf if axis == 0 else leaf[0] for leaf, axis in zip(leaves, axes, strict=True)]
        if axes.count(None) == len(axes):
            return jax.tree.map(lambda tensor: tensor[None], inner(*within))
        return torch.func.vmap(inner, in_dims=axes)(*within)

    return outer
