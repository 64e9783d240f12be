"""The training loop of `framework=pytorch`: the losses of JAX, the optimiser of PyTorch."""

from contextlib import nullcontext

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from gaugemc.interop.stages import loop
from gaugemc.interop.torch.arrays import arrays, tensors
from gaugemc.interop.torch.host import prepare_host
from gaugemc.interop.torch.loss import Loss
from gaugemc.interop.torch.processes import Processes
from gaugemc.training.schedule import Descent
from gaugemc.training.share import WHOLE, shared
from gaugemc.training.train import ChainObjective, Metrics, Objective, TrainingState


class Stage:
    """Training with one objective, from a state."""

    def __init__(
        self,
        processes: Processes,
        objective: Objective | ChainObjective,
        descent: Descent,
        state: TrainingState,
        key: Key[Array, ""],
    ):
        prepare_host()
        share = processes.share
        loss = Loss(objective if share == WHOLE else shared(objective, share), state.model, key)
        self.processes, self.model = processes, loss.model
        self.loss, self.optimiser = processes.prepared(loss, descent, state.optimiser)
        self.index, self.chains = int(state.step), tensors(jax.tree.map(share.of, state.chains))

    def advance(self, length: int) -> Metrics:
        rows = [self.step() for _ in range(length)]
        return Metrics(*(np.asarray(column) for column in zip(*rows)))

    def step(self) -> tuple[float, float]:
        """One step; returns the loss and the norm of its gradient."""
        loss = self.loss(self.index, self.chains)
        if self.chains is not None:
            loss, self.chains = loss
        with self.processes.heard():
            self.optimiser.backward(loss)
            loss = self.processes.mean(loss.detach())
            norm = self.optimiser.step(loss)
        self.index += 1
        return loss.item(), norm

    def state(self) -> TrainingState:
        chains = jax.tree.map(jnp.array, arrays(self.processes.all_of(self.chains)))
        step = jnp.asarray(self.index, jnp.int32)
        return TrainingState(self.model(), self.optimiser.state(), step, chains)


train = loop(lambda: nullcontext(Processes()), Stage, {})
"""The loop of one process, with PyTorch's Adam."""
