"""A loss of gaugemc as a module of PyTorch."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import torch
from jaxtyping import Array, Key, PyTree
from torch import nn
from torch.autograd.function import once_differentiable

from gaugemc.interop.leaves import loss_in_leaves
from gaugemc.interop.torch.arrays import arrays, lent, own, tensors
from gaugemc.interop.torch.parameters import Parameters
from gaugemc.training.train import ChainObjective, Objective


class Loss(nn.Module):
    """An objective of `gaugemc.training` whose parameters are PyTorch's.

    The loss and its gradient come from one compiled call of JAX. The loss of step i has the random
    numbers of step i of `gaugemc.training.train` with the same key. `loss.model()` is the model
    with the parameters as they are now.

    Args:
        objective: what is minimised: `ReverseKL`, `ExpectedJump`, `ForceMatch`, or any function
            (model, key, step) -> loss or (model, key, step, chains) -> (loss, chains).
        model: the flow or leapfrog to train. Its trained arrays are copied.
        key: the one source of randomness.
    """

    def __init__(self, objective: Objective | ChainObjective, model: PyTree, key: Key[Array, ""]):
        super().__init__()
        self.model = Parameters(model)
        numbers, loss_of = loss_in_leaves(objective, self.model.leaves)
        self._numbers, self._key = numbers, key
        self._value = jax.jit(loss_of)
        self._value_and_gradient = jax.jit(jax.value_and_grad(loss_of, has_aux=True))

    def forward(self, step: int, chains: PyTree = None) -> Any:
        """The loss of a training step.

        Args:
            step: number of the step, on which random numbers and the annealed beta depend.
            chains: states of the Markov chains that the objective needs, a pytree of tensors.

        Returns:
            The loss, a tensor of shape []; with chains the loss and the states after the step.
        """
        parameters = self.model.in_order()
        rest = (self._numbers, self._key, np.int32(step), arrays(chains))
        if not torch.is_grad_enabled():
            loss, moved = self._value([lent(p) for p in parameters], *rest)
            loss = own(loss)
        else:
            kept: list[PyTree] = []

            def call(leaves: list[Array]) -> tuple[Array, list[Array]]:
                (loss, moved), gradient = self._value_and_gradient(leaves, *rest)
                kept.append(moved)
                return loss, gradient

            loss, (moved,) = _Differentiated.apply(call, *parameters), kept
        return loss if chains is None else (loss, tensors(moved))


class _Differentiated(torch.autograd.Function):
    """A number whose gradient JAX has computed beside it."""

    @staticmethod
    def forward(ctx: Any, call: Callable[..., Any], *parameters: torch.Tensor) -> torch.Tensor:
        loss, gradient = call([lent(parameter) for parameter in parameters])
        jax.block_until_ready((loss, gradient))  # the memory was lent for so long
        ctx.gradient = gradient
        return own(loss)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *upstream: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        # Each product is a new tensor: what JAX made is never written to. JAX has the derivative
        # by z, PyTorch wants its complex conjugate.
        return None, *(torch.from_dlpack(g).conj() * upstream[0] for g in ctx.gradient)
