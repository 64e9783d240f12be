"""The training loop of `framework=tensorflow`: the losses of JAX, the optimiser of Keras."""

from collections.abc import Sequence
from contextlib import nullcontext

import jax
import jax.numpy as jnp
import numpy as np
import tensorflow as tf
from jaxtyping import Array, Key

from gaugemc.interop.stages import loop
from gaugemc.interop.tensorflow.adam import TensorFlowAdam
from gaugemc.interop.tensorflow.loss import Loss
from gaugemc.interop.tensorflow.processes import Processes
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
        share, self.processes = processes.share, processes
        mine = objective if share == WHOLE else shared(objective, share)
        self.loss = Loss(mine, state.model, key)
        self.optimiser = TensorFlowAdam(self.loss.model.in_order, descent, state.optimiser)
        self.index = int(state.step)
        chains, self.structure = jax.tree.flatten(state.chains)
        self.chains = [tf.constant(share.of(leaf)) for leaf in chains]
        compiled = share == WHOLE  # XLA has no communication; the loss is compiled always
        self.step = tf.function(self._step, jit_compile=compiled, autograph=False)

    def advance(self, length: int) -> Metrics:
        rows = []
        for _ in range(length):
            with self.processes.heard():
                *row, self.chains = self.step(tf.constant(self.index), self.chains)
            self.index += 1
            rows.append(row)
        return Metrics(*(np.asarray(column) for column in zip(*rows)))

    def _step(self, index: tf.Tensor, chains: Sequence[tf.Tensor]) -> tuple:
        """One step, as a graph: the loss, the norm of its gradient, the chains after it."""
        with tf.GradientTape() as tape:
            loss, moved = self.loss(index, jax.tree.unflatten(self.structure, chains)), None
            if chains:
                loss, moved = loss
        gradients = tape.gradient(loss, self.loss.model.in_order)
        loss, *gradients = self.processes.means([loss, *gradients])
        norm = self.optimiser.step(gradients, loss)
        return loss, norm, jax.tree.leaves(moved)

    def state(self) -> TrainingState:
        chains = [jnp.array(leaf.numpy()) for leaf in self.processes.all_of(self.chains)]
        chains = jax.tree.unflatten(self.structure, chains)
        step = jnp.asarray(self.index, jnp.int32)
        return TrainingState(self.loss.model(), self.optimiser.state(), step, chains)


train = loop(lambda: nullcontext(Processes()), Stage, {})
"""The loop of one process, with Keras's Adam."""
