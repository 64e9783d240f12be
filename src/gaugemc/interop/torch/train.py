"""The training loop of `framework=pytorch`: the losses of JAX, the optimiser of PyTorch."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from gaugemc.interop.stages import in_stages
from gaugemc.interop.torch import processes
from gaugemc.interop.torch.adam import TorchAdam
from gaugemc.interop.torch.arrays import arrays, tensors
from gaugemc.interop.torch.loss import Loss
from gaugemc.training.engine import AnyObjective, Steps
from gaugemc.training.schedule import Descent
from gaugemc.training.share import WHOLE, shared
from gaugemc.training.train import ChainObjective, Metrics, Objective, TrainingState


def train(
    objective: AnyObjective,
    descent: Descent,
    state: TrainingState,
    key: Key[Array, ""],
    steps: int,
    chunk: int,
) -> Steps:
    """As `gaugemc.training.train`, with PyTorch's Adam: equal to rounding, with the same states.

    Raises:
        TrainingDivergedError: with the first step whose loss or gradient is not finite.
    """
    state, words = processes.agreed((state, jax.random.key_data(key)))
    key = jax.random.wrap_key_data(words)
    yield from in_stages(Stage, objective, descent, state, key, steps, chunk)


def train_together(
    objective: AnyObjective,
    descent: Descent,
    state: TrainingState,
    key: Key[Array, ""],
    steps: int,
    chunk: int,
) -> Steps:
    """As `train`, on the processes that torchrun started, from the state of process 0.

    Each computes an equal share of every batch, with the random numbers of one process.

    Raises:
        TrainingDivergedError: with the first step whose loss or gradient is not finite.
        ConnectionError: a process has ended, or is not of the same version.
    """
    with processes.together():
        yield from train(objective, descent, state, key, steps, chunk)


class Stage:
    """Training with one objective, from a state."""

    def __init__(
        self,
        objective: Objective | ChainObjective,
        descent: Descent,
        state: TrainingState,
        key: Key[Array, ""],
    ):
        share = processes.share()
        loss = Loss(objective if share == WHOLE else shared(objective, share), state.model, key)
        self.model, self.loss = loss.model, processes.averaging(loss)
        self.optimiser = TorchAdam(self.model.in_order(), descent, state.optimiser)
        self.index, self.chains = int(state.step), tensors(jax.tree.map(share.of, state.chains))

    def advance(self, length: int) -> Metrics:
        rows = [self.step() for _ in range(length)]
        return Metrics(*(np.asarray(column) for column in zip(*rows)))

    def step(self) -> tuple[float, float]:
        """One step; returns the loss and the norm of its gradient."""
        loss = self.loss(self.index, self.chains)
        if self.chains is not None:
            loss, self.chains = loss
        self.loss.zero_grad()
        loss = processes.backward(loss)
        self.index += 1
        return loss.item(), self.optimiser.step(loss)

    def state(self) -> TrainingState:
        chains = jax.tree.map(jnp.array, arrays(processes.all_of(self.chains)))
        step = jnp.asarray(self.index, jnp.int32)
        return TrainingState(self.model(), self.optimiser.state(), step, chains)
