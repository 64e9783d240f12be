"""PyTorch's Adam as the optimiser of `gaugemc.training`: the same steps, and the same state."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
import torch
from jaxtyping import Array, PyTree
from torch import nn

from gaugemc.interop.adam import Moments, moments_in, with_moments
from gaugemc.interop.torch.arrays import lent, own
from gaugemc.training.schedule import Descent


class TorchAdam:
    """PyTorch's Adam with our clipping and learning rates, which goes on from our state.

    Raises:
        ValueError: a parameter is complex, where the two have different second moments.
    """

    def __init__(self, parameters: list[nn.Parameter], descent: Descent, state: PyTree):
        self.parameters, self.clip, self.start = parameters, descent.clip, state
        self.inner = torch.optim.Adam(
            parameters, lr=descent.learning_rate, betas=(0.9, descent.beta2)
        )
        self.count, mu, nu, self.plateau = moments_in(state)
        for parameter, first, second in zip(parameters, mu, nu, strict=True):
            step = torch.tensor(float(self.count))
            start = {"step": step, "exp_avg": own(first), "exp_avg_sq": own(second)}
            self.inner.state[parameter] = start
        self.rates = jax.jit(descent.rates)
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
        now = Moments(self.count, self._all("exp_avg"), self._all("exp_avg_sq"), self.plateau)
        return with_moments(self.start, now)

    def _all(self, name: str) -> Sequence[Array]:
        return [jnp.array(lent(self.inner.state[p][name])) for p in self.parameters]
