"""From settings to the objects they name, refusing what cannot work before any work is done."""

import dataclasses
import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Key

from gaugemc.experiment.settings import (
    Settings,
    SettingsError,
    at_least,
    fraction,
    one_of,
    positive,
)
from gaugemc.experiment.tracker import PACKAGES, check_installed
from gaugemc.flows import NCP, Chain, Flow, Spline, gauge_flow, multiscale_flow, pair_flow
from gaugemc.groups import SUN, U1
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
from gaugemc.samplers.l2hmc import DIRECTIONS
from gaugemc.samplers.trainable_leapfrog import NETWORKS
from gaugemc.theories import Links, Theory, Wilson
from gaugemc.training.jump import FORMS

Model = Flow | GeneralisedLeapfrog
"""What can be trained."""

GROUPS = {"U1": U1(), "SU2": SUN(2), "SU3": SUN(3)}
PRECISIONS = {"fp64": jnp.float64, "fp32": jnp.float32, "bf16": jnp.float32, "fp16": jnp.float32}
NETWORK_TYPES = {"bf16": "bfloat16", "fp16": "float16"}
FLOWS = ("ncp", "spline", "pair", "multiscale")
TRAINED = ("fthmc", "flow", "mixed", "l2hmc")
SAMPLERS = ("hmc", *TRAINED, "heatbath", "winding", "exact")


def validate(settings: Settings) -> None:
    """Raise SettingsError for the first setting that cannot be used."""
    one_of("theory.group", settings.theory.group, list(GROUPS))
    one_of("sampler.name", settings.sampler.name, list(SAMPLERS))
    one_of("sampler.integrator", settings.sampler.integrator, list(INTEGRATORS))
    one_of("flow.name", settings.flow.name, list(FLOWS))
    one_of("dynamics.network", settings.dynamics.network, list(NETWORKS))
    one_of("dynamics.direction", settings.dynamics.direction, list(DIRECTIONS))
    one_of("loss.form", settings.loss.form, list(FORMS))
    one_of("training.objective", settings.training.objective, objectives(settings))
    one_of("training.schedule", settings.training.schedule, ["constant", "cosine"])
    one_of("training.annealing", settings.training.annealing, ["none", "linear", "eras"])
    one_of("precision", settings.precision, list(PRECISIONS))
    one_of("framework", settings.framework, ["jax"])
    one_of("backend", settings.backend, ["none"])
    one_of("tracker.name", settings.tracker.name, list(PACKAGES))
    check_installed(settings.tracker.name)
    validate_numbers(settings)
    theory = build_theory(settings)
    try:
        if settings.sampler.name in TRAINED:
            abstract_model(settings, theory)
        else:
            build_sampler(settings, theory, None)
    except ValueError as error:
        if "lattice" in str(error):
            raise SettingsError("theory.lattice", settings.theory.lattice, str(error)) from error
        problem = str(error) if "sampler=hmc" in str(error) else f"{error}; choose sampler=hmc"
        raise SettingsError("sampler.name", settings.sampler.name, problem) from error


def objectives(settings: Settings) -> list[str]:
    """The objectives that can train what the sampler needs."""
    if settings.sampler.name == "l2hmc":
        return ["jump"]
    levels = ["levels"] if settings.flow.name == "multiscale" else []
    return ["reverse_kl", "path_gradient", *levels]


def validate_jumps(settings: Settings, theory: Wilson) -> None:
    """Raise SettingsError unless the loss has a part, and each part a meaning."""
    weights = settings.loss.charge_weight, settings.loss.plaquette_weight
    if weights[0] > 0 and not theory.space.has_charge:
        problem = f"{theory.name} has no such charge: set it to 0"
        raise SettingsError("loss.charge_weight", weights[0], problem)
    if not any(weights):
        problem = "give this or loss.plaquette_weight a positive weight"
        raise SettingsError("loss.charge_weight", weights[0], problem)


def validate_numbers(settings: Settings) -> None:
    """Raise SettingsError for the first number that is out of its range."""
    at_least("chains", settings.chains, 1)
    at_least("seed", settings.seed, 0)
    at_least("theory.beta", settings.theory.beta, 0)
    at_least("sampler.n_steps", settings.sampler.n_steps, 1)
    at_least("sampler.overrelaxation", settings.sampler.overrelaxation, 0)
    if not settings.sampler.force_scale > 0:
        raise SettingsError("sampler.force_scale", settings.sampler.force_scale, "must be positive")
    fraction("sampler.independence", settings.sampler.independence)
    positive("sampler.trajectory_length", settings.sampler.trajectory_length)
    smallest = 1 if settings.sampler.name == "l2hmc" else 3
    at_least("network.kernel_size", settings.network.kernel_size, smallest)
    if settings.network.kernel_size % 2 == 0:
        raise SettingsError("network.kernel_size", settings.network.kernel_size, "must be odd")
    if not all(channels >= 1 for channels in settings.network.hidden):
        raise SettingsError("network.hidden", settings.network.hidden, "needs positive numbers")
    if settings.flow.n_layers < 2 or settings.flow.n_layers % 2:
        raise SettingsError(
            "flow.n_layers", settings.flow.n_layers, "must be a positive even number"
        )
    at_least("flow.components", settings.flow.components, 1)
    at_least("flow.rounds", settings.flow.rounds, 1)
    at_least("flow.bins", settings.flow.bins, 2)
    positive("flow.bound", settings.flow.bound)
    at_least("dynamics.n_leapfrog", settings.dynamics.n_leapfrog, 1)
    for name in ("eps", "bound"):
        positive(f"dynamics.{name}", getattr(settings.dynamics, name))
    for name in ("charge", "plaquette"):
        at_least(f"loss.{name}_weight", getattr(settings.loss, f"{name}_weight"), 0)
        positive(f"loss.{name}_scale", getattr(settings.loss, f"{name}_scale"))
    for name in ("steps", "warmup"):
        at_least(f"training.{name}", getattr(settings.training, name), 0)
    for name in ("batch", "chunk", "quality_every", "ess_samples", "keep", "eras"):
        at_least(f"training.{name}", getattr(settings.training, name), 1)
    for name in ("learning_rate", "clip"):
        positive(f"training.{name}", getattr(settings.training, name))
    for name in ("anneal_start", "anneal_fraction"):
        fraction(f"training.{name}", getattr(settings.training, name))
    for name in ("draws", "chunks", "tune_iterations", "tune_draws", "most_steps", "timing_rounds"):
        at_least(f"evaluate.{name}", getattr(settings.evaluate, name), 1)
    for name in ("warmup", "hmc_draws", "hmc_warmup"):
        at_least(f"evaluate.{name}", getattr(settings.evaluate, name), 0)
    for name, limit in (("lengths", math.inf), ("targets", 1.0)):
        values = getattr(settings.evaluate, name)
        if not values or not all(0 < v < limit for v in values):
            problem = f"needs numbers between 0 and {limit:g}, without the ends"
            raise SettingsError(f"evaluate.{name}", values, problem)


def build_theory(settings: Settings) -> Wilson:
    """The theory, in the run's precision."""
    real = PRECISIONS[settings.precision]
    try:
        space = Links(GROUPS[settings.theory.group], tuple(settings.theory.lattice), real)
    except ValueError as error:
        raise SettingsError("theory.lattice", settings.theory.lattice, str(error)) from error
    return Wilson(space, float(settings.theory.beta))


def build_model(settings: Settings, theory: Wilson, key: Key[Array, ""]) -> Model:
    """What the sampler needs trained, before training."""
    build = build_leapfrog if settings.sampler.name == "l2hmc" else build_flow
    return build(settings, theory, key)


def build_leapfrog(settings: Settings, theory: Wilson, key: Key[Array, ""]) -> GeneralisedLeapfrog:
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


def abstract_model(settings: Settings, theory: Wilson) -> Model:
    """The shapes and types of what is trained; raises ValueError where there is no such thing."""
    if settings.sampler.name == "l2hmc":
        validate_jumps(settings, theory)
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


def build_sampler(settings: Settings, theory: Wilson, model: Model | None) -> Sampler:
    """The sampler that is evaluated, before tuning."""
    match settings.sampler.name, model:
        case "l2hmc", GeneralisedLeapfrog():
            return L2HMC(theory, model, settings.dynamics.direction)
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
        case "hmc", None:
            return build_hmc(settings, theory)
    raise SettingsError("sampler.name", settings.sampler.name, "needs what is trained for it")


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
