"""What a run trains: a flow or a leapfrog, with its objective and the measures of its quality."""

import abc
from typing import Any, cast

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Key, PyTree

from gaugemc.choices.build import Model, build_model, build_theory
from gaugemc.choices.settings import Settings
from gaugemc.choices.traits import anneals, force_beta, trained, where_trained
from gaugemc.exact.solved import exact_observables, log_partition_function
from gaugemc.flows import Flow
from gaugemc.kernels.once import once
from gaugemc.run.jumps import at_step, expected_jump, further_draws, measured_jumps, moves
from gaugemc.samplers import L2HMC, GeneralisedLeapfrog, on_lattice
from gaugemc.spaces import Links, Space, is_u1_2d
from gaugemc.theories import Theory, Wilson
from gaugemc.training import (
    BetaSchedule,
    EnergyError,
    ExpectedJump,
    ForceMatch,
    ForwardKL,
    GrowingBatch,
    LevelKL,
    MatrixLevelKL,
    PathGradient,
    ReverseKL,
    SymmetricKL,
    TrainingState,
    quality,
    start_training,
)
from gaugemc.training.energy_error import robust
from gaugemc.training.quality import standard_error
from gaugemc.training.schedule import Annealing
from gaugemc.training.train import ChainObjective, Objective


class Trainee(abc.ABC):
    """All that the trainer asks of what it trains."""

    columns: tuple[str, ...]
    """What `measure` returns that goes into metrics.csv."""
    headline: tuple[str, str]
    """The column that the progress bar shows, and its name there."""
    objective: Objective | ChainObjective | GrowingBatch

    def __init__(self, settings: Settings, theory: Theory):
        t = settings.training
        self.settings, self.theory = settings, theory
        annealing = cast(Annealing, t.annealing) if anneals(settings) else "none"
        self.beta = BetaSchedule(
            theory.own_beta, t.steps, annealing, t.anneal_start, t.anneal_fraction, t.eras
        )

    @property
    def load(self) -> str | None:
        """The run to start from."""
        return trained(self.settings).load

    def start(
        self,
        optimiser: optax.GradientTransformationExtraArgs,
        key: Key[Array, ""],
        chain_key: Key[Array, ""],
    ) -> TrainingState:
        """The state before the first step, of a fresh model."""
        model = once(lambda key: build_model(self.settings, self.theory, key))(key)
        return self.start_with(model, optimiser, chain_key)

    def start_with(
        self,
        model: Model,
        optimiser: optax.GradientTransformationExtraArgs,
        chain_key: Key[Array, ""],
    ) -> TrainingState:
        """The state before the first step of this model."""
        return start_training(model, optimiser, self.chains(model, chain_key))

    def chains(self, model: Model, key: Key[Array, ""]) -> PyTree:
        """States of the chains that the objective needs; None without."""
        return None

    @abc.abstractmethod
    def carried(self, model: Model, space: Space) -> Model:
        """A model of another lattice on the lattice of this space."""

    @abc.abstractmethod
    def measure(self, state: TrainingState, key: Key[Array, ""]) -> dict[str, Any]:
        """The quality of the model: numbers, or None, by name; among them `loss` and its error."""

    def comparable(self, step: int) -> bool:
        """Whether what is measured at this step can be compared with the end of training."""
        return step >= self.beta.settled


class FlowTrainee(Trainee):
    """A flow: the reverse KL divergence, on configurations or level by level, forces or jumps."""

    columns = ("kl", "kl_error", "ess", "ess_error", "charge_squared")
    headline = ("ess", "ESS")
    theory: Wilson

    def __init__(self, settings: Settings, theory: Wilson):
        super().__init__(settings, theory)
        batch = settings.training.batch
        self.log_partition = log_partition_function(theory)
        match settings.training.objective:
            case "levels":
                kl = LevelKL if is_u1_2d(theory.space) else MatrixLevelKL
                self.objective = kl(theory, batch, self.log_partition)
            case "forces":
                self.objective = ForceMatch(theory, force_beta(settings))
            case "forward_kl":
                self.objective = ForwardKL(theory)
            case "symmetric_kl":
                self.objective = SymmetricKL(theory, batch)
            case "jump":
                self.objective = expected_jump(settings, theory, self.beta)
                jumps = (f"{name}_jump" for name in theory.leading)
                self.columns = ("acceptance", *jumps, *self.columns)
                self.headline = ("acceptance", "acceptance")
            case "path_gradient":
                self.objective = self.growing(PathGradient(theory, batch, self.beta))
            case _:
                self.objective = self.growing(ReverseKL(theory, batch, self.beta))

    def growing(self, objective: ReverseKL | PathGradient) -> GrowingBatch:
        """The objective, with the batches of the settings."""
        t = self.settings.training
        return GrowingBatch(objective, t.doublings, max(t.steps, 1))

    def chains(self, model: Model, key: Key[Array, ""]) -> PyTree:
        batch = self.settings.training.batch
        match self.objective:
            case ForceMatch() | ForwardKL() | SymmetricKL():
                return self.objective.start(key, batch)
            case ExpectedJump():
                return self.objective.start(model, key, batch)
            case _:
                return None

    def carried(self, model: Model, space: Space) -> Model:
        assert isinstance(model, Flow)
        assert isinstance(space, Links)
        return model.on(space.lattice)

    def measure(self, state: TrainingState, key: Key[Array, ""]) -> dict[str, Any]:
        samples = self.settings.training.ess_samples
        measured = quality(
            state.model, self.theory, key, samples=samples, log_partition=self.log_partition
        )
        own: dict[str, float] = {"loss": measured.loss, "loss_error": measured.kl_error}
        if isinstance(self.objective, ForceMatch):
            losses = np.asarray(force_losses(self.objective, state, key))
            own = {"loss": float(losses.mean()), "loss_error": standard_error(losses)}
        elif isinstance(self.objective, ExpectedJump):
            theory = at_step(self.theory, self.beta, state)
            own = measured_jumps(self.objective, state, theory, key, samples)
        return {
            **own,
            "kl": measured.kl,
            "kl_error": measured.kl_error,
            "ess": measured.ess,
            "ess_error": measured.ess_error,
            "ess_upper_bound": measured.ess_bound,
            "ess_samples": measured.samples,
            "charge_squared": measured.charge_squared,
            "charge_squared_error": measured.charge_squared_error,
            "charge_squared_exact": exact_observables(self.theory).get("charge_squared"),
        }

    def comparable(self, step: int) -> bool:
        # All but jumps are measured at the theory's own beta.
        return super().comparable(step) or not isinstance(self.objective, ExpectedJump)


LOST = 1e6
"""The energy error as which that of a draw counts that is no number."""


class LeapfrogTrainee(Trainee):
    """The generalised leapfrog of L2HMC: expected squared jumps of chains that run on.

    Of charge, plaquettes, flowed energy and distance for links, of the distance for vectors. Or its
    energy errors.
    """

    headline = ("acceptance", "acceptance")

    def __init__(self, settings: Settings, theory: Theory):
        super().__init__(settings, theory)
        self.columns = ("acceptance", *(f"{name}_jump" for name in theory.leading), "step_size")
        self.objective: ExpectedJump | EnergyError = (
            EnergyError(theory, settings.dynamics.direction)
            if settings.loss.form == "energy"
            else expected_jump(settings, theory, self.beta)
        )

    def chains(self, model: Model, key: Key[Array, ""]) -> PyTree:
        assert isinstance(model, GeneralisedLeapfrog)
        return self.objective.start(model, key, self.settings.training.batch)

    def carried(self, model: Model, space: Space) -> Model:
        assert isinstance(model, GeneralisedLeapfrog)
        return on_lattice(model, space) if isinstance(space, Links) else model

    def measure(self, state: TrainingState, key: Key[Array, ""]) -> dict[str, Any]:
        """At the beta of the step, from draws that go on from the training's chains.

        Jumps are mean squared changes in one draw. Where nothing is trained there is nothing to
        measure: the chains have only just started.
        """
        if not self.settings.training.steps:
            return {}
        samples = self.settings.training.ess_samples
        theory = at_step(self.theory, self.beta, state)
        if isinstance(self.objective, EnergyError):
            sampler = L2HMC(theory, state.model, self.settings.dynamics.direction)
            draws = further_draws(sampler, state.chains.x, key, samples)
            delta_h = np.clip(np.asarray(draws.info.delta_h), -LOST, LOST)
            losses = np.asarray(robust(jnp.asarray(delta_h)))
            loss, error = float(np.mean(losses)), standard_error(losses.mean(axis=1))
            measured = {"loss": loss, "loss_error": error, **moves(theory, draws)}
        else:
            measured = measured_jumps(self.objective, state, theory, key, samples)
        step_size = float(jnp.exp(jnp.mean(jnp.log(jnp.abs(state.model.step_sizes)))))
        return {**measured, "step_size": step_size}


FORCE_BATCHES = 16
"""Of configurations in which the loss of forces is measured."""


@eqx.filter_jit
def force_losses(
    objective: ForceMatch, state: TrainingState, key: Key[Array, ""]
) -> Float[Array, " batch"]:
    """The loss in batches that go on; the model stands still."""

    def batch(states: PyTree, key: Key[Array, ""]) -> tuple[PyTree, Float[Array, ""]]:
        loss, states = objective(state.model, key, state.step, states)
        return states, loss

    return jax.lax.scan(batch, state.chains, jax.random.split(key, FORCE_BATCHES))[1]


def build_trainee(settings: Settings) -> Trainee:
    """What a run of these settings trains, on the lattice that it trains on."""
    theory = build_theory(where_trained(settings))
    if settings.sampler.trains == "dynamics":
        return LeapfrogTrainee(settings, theory)
    assert isinstance(theory, Wilson)
    return FlowTrainee(settings, theory)
