"""The expected jumps that a run maximises, of a leapfrog or of a flow, and how far they are."""

from typing import cast

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key, PyTree, Shaped

from gaugemc.arrays import Scalar
from gaugemc.chains.driver import Draws, chunks
from gaugemc.choices.samplers.fthmc import FTHMCSampler
from gaugemc.choices.settings import Settings
from gaugemc.observables.clover_charge import CloverCharge
from gaugemc.observables.energy import Energy
from gaugemc.samplers import HMC, L2HMC
from gaugemc.spaces import Links, is_u1_2d
from gaugemc.theories import Theory
from gaugemc.training import (
    BetaSchedule,
    ChargeJump,
    DistanceJump,
    ExpectedJump,
    FlowedJump,
    FlowTrajectories,
    Jump,
    LinkJump,
    Passes,
    PlaquetteJump,
    SquareJump,
    TrainingState,
    WhitenedJump,
)
from gaugemc.training.quality import standard_error


def expected_jump(settings: Settings, theory: Theory, beta: BetaSchedule) -> ExpectedJump:
    """The objective of a run that trains for jumps."""
    loss, jumps = settings.loss, jumps_of(settings, theory)
    passes = settings.sampler.trains == "dynamics"
    proposals = Passes(settings.dynamics.direction) if passes else trajectories(settings)
    return ExpectedJump(theory, jumps, proposals, loss.form, beta, loss.aux_weight)


def trajectories(settings: Settings) -> FlowTrajectories:
    """The trajectories by which a flow is trained: as the settings have them, also where the tuner
    finds others for the trained flow."""
    s = cast(FTHMCSampler, settings.sampler)  # or like it: validated
    step_size = s.trajectory_length / s.n_steps
    return FlowTrajectories(step_size, s.n_steps, s.integrator, s.force_scale)


def jumps_of(settings: Settings, theory: Theory) -> tuple[Jump, ...]:
    """The jumps that the settings give a weight."""
    loss = settings.loss
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


def further_draws(
    sampler: HMC | L2HMC, z: Shaped[Array, "chain ..."], key: Key[Array, ""], samples: int
) -> Draws:
    """Draws that go on from these variables: `samples` of all chains, at least 2 of each."""
    states = eqx.filter_jit(lambda s, z: jax.vmap(s.state)(z))(sampler, z)
    draws = max(2, -(-samples // len(z)))
    (_, found), *_ = chunks(sampler, key, states, draws, draws)
    return found.draws


def moves(theory: Theory, draws: Draws) -> dict[str, float]:
    """The acceptance, and mean squared changes in one draw."""
    return {"acceptance": float(draws.info.acceptance.mean())} | {
        f"{name}_jump": float(np.mean(np.diff(draws.observables[name], axis=1) ** 2))
        for name in theory.leading
    }


def measured_jumps(
    objective: ExpectedJump, state: TrainingState, theory: Theory, key: Key[Array, ""], samples: int
) -> dict[str, float]:
    """Of draws that go on from the training's chains; `theory` is that of the step's beta."""
    sampler = objective.proposals.sampler(theory, state.model)
    inward = eqx.filter_jit(jax.vmap(objective.proposals.inward, (None, 0)))
    draws = further_draws(sampler, inward(sampler, state.chains), key, samples)
    losses = np.asarray(_losses(objective, state, key, draws.info.acceptance.shape[1]))
    loss, error = float(np.mean(losses)), standard_error(losses.mean(axis=1))
    return {"loss": loss, "loss_error": error, **moves(theory, draws)}


@eqx.filter_jit
def _losses(
    objective: ExpectedJump, state: TrainingState, key: Key[Array, ""], draws: int
) -> Float[Array, "chain draw"]:
    """The loss of each chain in so many draws that go on; the model stands still."""

    def draw(x: PyTree, key: Key[Array, ""]) -> tuple[PyTree, Scalar]:
        loss, moved = objective(state.model, key, state.step, x[None])
        return moved[0], loss

    def chain(x: PyTree, key: Key[Array, ""]) -> Float[Array, " draw"]:
        return jax.lax.scan(draw, x, jax.random.split(key, draws))[1]

    return jax.vmap(chain)(state.chains, jax.random.split(key, len(state.chains)))


def at_step(theory: Theory, beta: BetaSchedule, state: TrainingState) -> Theory:
    """The theory at the beta of a step: an array, so that another beta does not compile anew."""
    return theory.at(jnp.asarray(beta(state.step)))
