"""From settings to the objects they name."""

import dataclasses
import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Key

from gaugemc.chains.measurement import Measurement
from gaugemc.choices.settings import Settings, SettingsError
from gaugemc.choices.uses import TRAINED
from gaugemc.flows import NCP, Chain, Flow, Spline, gauge_flow, multiscale_flow, pair_flow
from gaugemc.groups import SUN, U1
from gaugemc.observables import OBSERVABLES
from gaugemc.samplers import (
    HMC,
    INTEGRATORS,
    L2HMC,
    Compose,
    ExactU1,
    GeneralisedLeapfrog,
    Heatbath,
    Independence,
    Sampler,
    Winding,
    trainable_leapfrog,
)
from gaugemc.samplers.compose import hmc_in, with_hmc
from gaugemc.spaces import Links
from gaugemc.theories import TOYS, Theory, Wilson
from gaugemc.training import quantile_flow

Model = Flow | GeneralisedLeapfrog
"""What can be trained."""

GROUPS = {"U1": U1(), "SU2": SUN(2), "SU3": SUN(3)}
PRECISIONS = {"fp64": jnp.float64, "fp32": jnp.float32, "bf16": jnp.float32, "fp16": jnp.float32}
NETWORK_TYPES = {"bf16": "bfloat16", "fp16": "float16"}
FLOWS = ("ncp", "spline", "pair", "multiscale")
STARTS = ("quantiles", "identity")
SAMPLERS = ("hmc", *TRAINED, "heatbath", "winding", "exact")


def build_theory(settings: Settings) -> Theory:
    """The theory, in the run's precision."""
    real = PRECISIONS[settings.precision]
    if settings.theory.toy is not None:
        return TOYS[settings.theory.toy](real)
    assert settings.theory.group is not None
    try:
        space = Links(GROUPS[settings.theory.group], tuple(settings.theory.lattice), real)
    except ValueError as error:
        raise SettingsError("theory.lattice", settings.theory.lattice, str(error)) from error
    return Wilson(space, float(settings.theory.beta))


def build_model(settings: Settings, theory: Theory, key: Key[Array, ""]) -> Model:
    """What the sampler needs trained, before training."""
    if settings.sampler.name == "l2hmc":
        return build_leapfrog(settings, theory, key)
    assert isinstance(theory, Wilson)
    return build_flow(settings, theory, key)


def build_leapfrog(settings: Settings, theory: Theory, key: Key[Array, ""]) -> GeneralisedLeapfrog:
    """The generalised leapfrog before training: an ordinary one."""
    d = settings.dynamics
    return trainable_leapfrog(
        key,
        theory.space,
        n_layers=d.n_leapfrog,
        step_size=d.eps,
        network=d.network,
        hidden=settings.network.hidden,
        kernel_size=settings.network.kernel_size,
        bound=d.bound,
        separate=d.separate_networks,
        x_networks=2 if d.split_x_networks else 1,
        train_step_sizes=d.eps_trainable,
        compute_dtype=NETWORK_TYPES.get(settings.precision),
    )


def build_flow(settings: Settings, theory: Wilson, key: Key[Array, ""]) -> Flow:
    """The flow before training."""
    if settings.flow.name == "multiscale":
        if settings.flow.start == "quantiles":
            return quantile_flow(theory)
        return multiscale_flow(theory.space)
    if settings.flow.name == "pair":
        return pair_flow(
            key,
            theory.space,
            n_layers=settings.flow.n_layers,
            rounds=settings.flow.rounds,
            bound=settings.flow.bound,
            hidden=settings.network.hidden,
            kernel_size=settings.network.kernel_size,
            compute_dtype=NETWORK_TYPES.get(settings.precision),
        )
    circle = (
        NCP(settings.flow.components, settings.flow.bound)
        if settings.flow.name == "ncp"
        else Spline(settings.flow.bins)
    )
    return gauge_flow(
        key,
        theory.space,
        circle,
        n_layers=settings.flow.n_layers,
        hidden=settings.network.hidden,
        kernel_size=settings.network.kernel_size,
        compute_dtype=NETWORK_TYPES.get(settings.precision),
    )


def abstract_model(settings: Settings, theory: Theory) -> Model:
    """The shapes and types of what is trained; raises ValueError where there is no such thing."""
    return eqx.filter_eval_shape(lambda key: build_model(settings, theory, key), jax.random.key(0))


def in_float64(
    settings: Settings, sampler: Sampler, model: Model | None
) -> tuple[Sampler, Model | None]:
    """The same sampler and model with their parameters and all their arithmetic in float64."""
    settings = dataclasses.replace(settings, precision="fp64")
    theory = build_theory(settings)

    def promoted(leaf: Any) -> Any:
        return leaf.astype(jnp.float64) if eqx.is_inexact_array(leaf) else leaf

    if model is not None:
        leaves = [promoted(leaf) for leaf in jax.tree.leaves(model)]
        structure = jax.tree.structure(abstract_model(settings, theory))
        model = jax.tree.unflatten(structure, leaves)
    precise = build_sampler(settings, theory, model)
    tuned, hmc = hmc_in(sampler), hmc_in(precise)
    if tuned is not None and hmc is not None:
        precise = with_hmc(precise, hmc.with_steps(tuned.step_size, tuned.n_steps))
    return precise, model


def build_sampler(settings: Settings, theory: Theory, model: Model | None) -> Sampler:
    """The sampler that is evaluated, before tuning."""
    match settings.sampler.name, model:
        case "hmc", None:
            return build_hmc(settings, theory)
        case "l2hmc", GeneralisedLeapfrog():
            return L2HMC(theory, model, settings.dynamics.direction)
    assert isinstance(theory, Wilson)
    match settings.sampler.name, model:
        case "flow", Flow():
            return Independence(theory, model)
        case "fthmc", Flow():
            return build_hmc(settings, theory.pullback(model), settings.sampler.force_scale)
        case "mixed", Flow():
            # In the flow's variables its own proposals are those of the identity.
            pulled_back, p = theory.pullback(model), settings.sampler.independence
            hmc = build_hmc(settings, pulled_back, settings.sampler.force_scale)
            return Compose((hmc, Independence(pulled_back, Chain(()))), (1 - p, p))
        case "heatbath", None:
            return Heatbath(theory, overrelaxation=settings.sampler.overrelaxation)
        case "winding", None:
            return Compose((build_hmc(settings, theory), Winding(theory)))
        case "exact", None:
            return ExactU1(theory)
    raise SettingsError("sampler.name", settings.sampler.name, "needs what is trained for it")


def build_measurement(settings: Settings, theory: Theory) -> Measurement:
    """What the chains of a theory measure."""
    every = settings.evaluate.measure_every
    if settings.observables is None:
        return Measurement(every=every)
    own = own_observables(theory)
    more = tuple(OBSERVABLES[name]() for name in settings.observables if name not in own)
    return Measurement(tuple(settings.observables), more, every)


def own_observables(theory: Theory) -> tuple[str, ...]:
    """The names of a theory's own observables."""
    return tuple(eqx.filter_eval_shape(theory.observables, theory.space.origin()))


def build_hmc(settings: Settings, theory: Theory, force_scale: float = math.inf) -> HMC:
    """HMC with the settings' integrator and its untuned trajectory."""
    steps = settings.sampler.n_steps
    return HMC(
        theory,
        settings.sampler.trajectory_length / steps,
        steps,
        INTEGRATORS[settings.sampler.integrator],
        force_scale,
    )
