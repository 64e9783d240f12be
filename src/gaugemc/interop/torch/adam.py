"""PyTorch's Adam as the optimiser of `gaugemc.training`: the same steps, and the same state."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import torch
from jaxtyping import PyTree
from torch import nn

from gaugemc.interop.torch.arrays import lent, own
from gaugemc.training.schedule import Descent, PlateauState

KINDS = (optax.ScaleByAdamState, optax.ScaleByScheduleState, PlateauState)
"""The parts of our optimiser's state that change."""


class TorchAdam:
    """PyTorch's Adam with our clipping and learning rates, which goes on from our state.

    Raises:
        ValueError: a parameter is complex, where the two have different second moments.
    """

    def __init__(self, parameters: list[nn.Parameter], descent: Descent, state: PyTree):
        if any(parameter.is_complex() for parameter in parameters):
            raise ValueError("a trained array is complex: Adam of JAX and of PyTorch differ there")
        self.parameters, self.clip, self.start = parameters, descent.clip, state
        self.inner = torch.optim.Adam(
            parameters, lr=descent.learning_rate, betas=(0.9, descent.beta2)
        )
        moments = _part(state, optax.ScaleByAdamState)
        leaves = zip(parameters, jax.tree.leaves(moments.mu), jax.tree.leaves(moments.nu))
        for parameter, mu, nu in leaves:
            step = torch.tensor(float(moments.count))
            start = {"step": step, "exp_avg": own(mu), "exp_avg_sq": own(nu)}
            self.inner.state[parameter] = start
        self.count = int(moments.count)
        self.rates = jax.jit(descent.rates)
        self.plateau = _part(state, PlateauState)
        self.after_plateaus = descent.plateaus and jax.jit(descent.plateaus.update)

    def step(self, loss: torch.Tensor) -> float:
        """Change the parameters by their gradients; returns the gradients' norm before clipping."""
        gradients = [parameter.grad for parameter in self.parameters if parameter.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        if norm >= self.clip:  # PyTorch's own clipping divides by norm + 1e-6
            for gradient in gradients:
                gradient.div_(norm).mul_(self.clip)
        rate = float(self.rates(np.int32(self.count)))
        if self.after_plateaus:
            scale, self.plateau = self.after_plateaus(jnp.ones(()), self.plateau, value=lent(loss))
            rate *= float(scale)
        for group in self.inner.param_groups:
            group["lr"] = rate
        self.inner.step()
        self.count += 1
        return norm.item()

    def state(self) -> PyTree:
        """The state of `descent.in_jax` after these steps."""

        def moments(name: str, like: PyTree) -> PyTree:
            found = [jnp.array(lent(self.inner.state[p][name])) for p in self.parameters]
            return jax.tree.unflatten(jax.tree.structure(like), found)

        def now(part: Any) -> Any:
            count = jnp.asarray(self.count, jnp.int32)
            match part:
                case optax.ScaleByAdamState(mu=mu, nu=nu):
                    mu, nu = moments("exp_avg", mu), moments("exp_avg_sq", nu)
                    return optax.ScaleByAdamState(count, mu, nu)
                case optax.ScaleByScheduleState():
                    return optax.ScaleByScheduleState(count)
                case PlateauState():
                    return self.plateau
            return part

        return jax.tree.map(now, self.start, is_leaf=lambda part: isinstance(part, KINDS))


def _part(state: PyTree, kind: type) -> Any:
    """The part of a kind; None without."""
    parts = jax.tree.leaves(state, is_leaf=lambda part: isinstance(part, KINDS))
    return next((part for part in parts if isinstance(part, kind)), None)
