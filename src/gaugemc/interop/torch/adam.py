"""PyTorch's Adam as the optimiser of `gaugemc.training`: the same steps, and the same state."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
import torch
from jaxtyping import PyTree
from torch import nn

from gaugemc.interop.adam import Moments, moments_in, with_moments
from gaugemc.interop.torch.arrays import lent, own
from gaugemc.training.schedule import Descent

MOMENTS = "exp_avg", "exp_avg_sq"
"""What PyTorch calls the first and the second."""


class TorchAdam:
    """PyTorch's Adam with our clipping and learning rates, which goes on from our state.

    Raises:
        ValueError: a parameter is complex, where the two have different second moments.
    """

    def __init__(self, parameters: list[nn.Parameter], descent: Descent, state: PyTree):
        self.parameters, self.largest, self.start = parameters, descent.clip, state
        self.inner = torch.optim.Adam(
            parameters, lr=descent.learning_rate, betas=(0.9, descent.beta2)
        )
        self.count, mu, nu, self.plateau = moments_in(state)
        for parameter, *moments in zip(parameters, mu, nu, strict=True):
            start = dict(zip(MOMENTS, map(own, moments), strict=True))
            self.inner.state[parameter] = {"step": torch.tensor(float(self.count)), **start}
        self.rates = jax.jit(descent.rates)
        self.after_plateaus = descent.plateaus and jax.jit(descent.plateaus.update)

    def backward(self, loss: torch.Tensor) -> None:
        """Compute the gradients of a loss by the parameters."""
        self.inner.zero_grad()
        loss.backward()

    def step(self, loss: torch.Tensor) -> float:
        """Change the parameters by their gradients; returns the gradients' norm before clipping."""
        self.set_rate(loss)
        norm = self.descend()
        self.count += 1
        return norm

    def set_rate(self, loss: torch.Tensor) -> None:
        """Take the learning rate of this step."""
        rate = float(self.rates(np.int32(self.count)))
        if self.after_plateaus:
            scale, self.plateau = self.after_plateaus(jnp.ones(()), self.plateau, value=lent(loss))
            rate *= float(scale)
        for group in self.inner.param_groups:
            group["lr"] = rate

    def descend(self) -> float:
        """As `step`, with the learning rate as it is."""
        gradients = [parameter.grad for parameter in self.parameters if parameter.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        self.clip(gradients, norm)
        self.inner.step()
        return norm.item()

    def clip(self, gradients: Sequence[torch.Tensor], norm: torch.Tensor) -> None:
        """Shorten gradients of this norm in place; PyTorch's own divides by norm + 1e-6."""
        if norm >= self.largest:
            for gradient in gradients:
                gradient.div_(norm).mul_(self.largest)

    def moments(self, name: str) -> Sequence[torch.Tensor]:
        """One of the moments, of all parameters."""
        return [self.inner.state[parameter][name] for parameter in self.parameters]

    def state(self) -> PyTree:
        """The state of `descent.in_jax` after these steps."""
        mu, nu = ([jnp.array(lent(moment)) for moment in self.moments(name)] for name in MOMENTS)
        return with_moments(self.start, Moments(self.count, mu, nu, self.plateau))
