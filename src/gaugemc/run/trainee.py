"""What a run trains: a flow or a leapfrog, with its objective and the measures of its quality."""

import abc
from typing import Any, cast

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Key, PyTree

from gaugemc.chains.driver import chunks
from gaugemc.choices.build import Model, build_model, build_theory
from gaugemc.choices.settings import Settings
from gaugemc.choices.uses import anneals, force_beta, trained, where_trained
from gaugemc.exact.solved import exact_observables, log_partition_function
from gaugemc.flows import Flow
from gaugemc.kernels.once import once
from gaugemc.observables.clover_charge import CloverCharge
from gaugemc.observables.energy import Energy
from gaugemc.samplers import L2HMC, GeneralisedLeapfrog, on_lattice
from gaugemc.spaces import Links, Space, is_u1_2d
from gaugemc.theories import Theory, Wilson
from gaugemc.training import (
    BetaSchedule,
    ChargeJump,
    DistanceJump,
    EnergyError,
    ExpectedJump,
    FlowedJump,
    ForceMatch,
    ForwardKL,
    GrowingBatch,
    Jump,
    LevelKL,
    LinkJump,
    MatrixLevelKL,
    PathGradient,
    PlaquetteJump,
    ReverseKL,
    SquareJump,
    TrainingState,
    WhitenedJump,
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
    """A flow: the reverse KL divergence, on configurations or level by level, or its forces."""

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
            case "path_gradient":
                self.objective = self.growing(PathGradient(theory, batch, self.beta))
            case _:
                self.objective = self.growing(ReverseKL(theory, batch, self.beta))

    def growing(self, objective: ReverseKL | PathGradient) -> GrowingBatch:
        """The objective, with the batches of the settings."""
        t = self.settings.training
        return GrowingBatch(objective, t.doublings, max(t.steps, 1))

    def chains(self, model: Model, key: Key[Array, ""]) -> PyTree:
        if not isinstance(self.objective, ForceMatch | ForwardKL):
            return None
        return self.objective.start(key, self.settings.training.batch)

    def carried(self, model: Model, space: Space) -> Model:
        assert isinstance(model, Flow)
        assert isinstance(space, Links)
        return model.on(space.lattice)

    def measure(self, state: TrainingState, key: Key[Array, ""]) -> dict[str, Any]:
        samples = self.settings.training.ess_samples
        measured = quality(
            state.model, self.theory, key, samples=samples, log_partition=self.log_partition
        )
        loss, error = measured.loss, measured.kl_error
        if isinstance(self.objective, ForceMatch):
            losses = np.asarray(force_losses(self.objective, state, key))
            loss, error = float(losses.mean()), standard_error(losses)
        return {
            "loss": loss,
            "loss_error": error,
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
        return True  # measured at the theory's own beta


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
        loss = settings.loss
        direction = settings.dynamics.direction
        self.objective: ExpectedJump | EnergyError = EnergyError(theory, direction)
        if loss.form != "energy":
            form, aux = loss.form, loss.aux_weight
            jumps = self.jumps()
            self.objective = ExpectedJump(theory, jumps, direction, form, self.beta, aux)

    def jumps(self) -> tuple[Jump, ...]:
        """The jumps that the settings give a weight."""
        loss, theory = self.settings.loss, self.theory
        jumps: list[Jump] = []
        if not isinstance(theory.space, Links):
            jumps.append(DistanceJump(scale=loss.distance_scale))
        elif loss.distance_weight:
            jumps.append(LinkJump(loss.distance_weight, loss.distance_scale))
        if loss.whitened_weight:
            jumps.append(WhitenedJump(loss.whitened_weight, loss.whitened_scale))
        if loss.square_weight:
            jumps.append(SquareJump(loss.square_weight, loss.square_scale))
        if loss.charge_weight and is_u1_2d(theory.space):
            jumps.append(ChargeJump(loss.charge_weight, loss.charge_scale))
        elif loss.charge_weight:
            of = loss.charge_weight, loss.charge_scale, CloverCharge(), loss.flow_time
            jumps.append(FlowedJump(*of))
        if loss.energy_weight:
            of = loss.energy_weight, loss.energy_scale, Energy(), loss.flow_time
            jumps.append(FlowedJump(*of))
        if loss.plaquette_weight:
            jumps.append(PlaquetteJump(loss.plaquette_weight, loss.plaquette_scale))
        return tuple(jumps)

    def chains(self, model: Model, key: Key[Array, ""]) -> PyTree:
        assert isinstance(model, GeneralisedLeapfrog)
        return self.objective.start(model, key, self.settings.training.batch)

    def carried(self, model: Model, space: Space) -> Model:
        assert isinstance(model, GeneralisedLeapfrog)
        return on_lattice(model, space) if isinstance(space, Links) else model

    def measure(self, state: TrainingState, key: Key[Array, ""]) -> dict[str, Any]:
        """At the beta of the step, from draws that go on from the training's chains.

        Jumps are mean squared changes in one draw.
        """
        t = self.settings.training
        # An array, so that another beta does not compile anew.
        theory = self.theory.at(jnp.asarray(self.beta(state.step)))
        sampler = L2HMC(theory, state.model, self.settings.dynamics.direction)
        x = state.chains.x if isinstance(self.objective, EnergyError) else state.chains
        states = eqx.filter_jit(lambda s, x: jax.vmap(s.state)(x))(sampler, x)
        draws = max(2, -(-t.ess_samples // t.batch))
        (_, samples), *_ = chunks(sampler, key, states, draws, draws)
        observables = samples.draws.observables
        jumps = {
            f"{name}_jump": float(np.mean(np.diff(observables[name], axis=1) ** 2))
            for name in self.theory.leading
        }
        if isinstance(self.objective, EnergyError):
            delta_h = np.clip(np.asarray(samples.draws.info.delta_h), -LOST, LOST)
            losses = np.asarray(robust(jnp.asarray(delta_h)))
        else:
            losses = np.asarray(_losses(self.objective, state, key, draws))
        return {
            "loss": float(np.mean(losses)),
            "loss_error": standard_error(losses.mean(axis=1)),
            "acceptance": float(samples.draws.info.acceptance.mean()),
            **jumps,
            "step_size": float(jnp.exp(jnp.mean(jnp.log(jnp.abs(state.model.step_sizes))))),
        }


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


@eqx.filter_jit
def _losses(
    objective: ExpectedJump, state: TrainingState, key: Key[Array, ""], draws: int
) -> Float[Array, "chain draw"]:
    """The loss of each chain in so many draws that go on; the model stands still."""

    def draw(x: PyTree, key: Key[Array, ""]) -> tuple[PyTree, Float[Array, ""]]:
        loss, moved = objective(state.model, key, state.step, x[None])
        return moved[0], loss

    def chain(x: PyTree, key: Key[Array, ""]) -> Float[Array, " draw"]:
        return jax.lax.scan(draw, x, jax.random.split(key, draws))[1]

    return jax.vmap(chain)(state.chains, jax.random.split(key, len(state.chains)))


def build_trainee(settings: Settings) -> Trainee:
    """What a run of these settings trains, on the lattice that it trains on."""
    theory = build_theory(where_trained(settings))
    if settings.sampler.trains == "dynamics":
        return LeapfrogTrainee(settings, theory)
    assert isinstance(theory, Wilson)
    return FlowTrainee(settings, theory)
