"""From settings to the objects they name, refusing what cannot work before any work is done."""

import jax.numpy as jnp
from jaxtyping import Array, Key

from gaugemc.experiment.settings import Settings, SettingsError, at_least, one_of
from gaugemc.flows import NCP, Flow, Spline, gauge_flow
from gaugemc.flows.coupling import check_space
from gaugemc.groups import SUN, U1
from gaugemc.samplers import HMC, INTEGRATORS, ExactU1, Heatbath, Independence, Sampler
from gaugemc.theories import Links, Theory, Wilson

GROUPS = {"U1": U1(), "SU2": SUN(2), "SU3": SUN(3)}
PRECISIONS = {"fp64": jnp.float64, "fp32": jnp.float32, "bf16": jnp.float32, "fp16": jnp.float32}
NETWORK_TYPES = {"bf16": "bfloat16", "fp16": "float16"}
CIRCLE_MAPS = ("ncp", "spline")
TRAINED = ("fthmc", "flow")
SAMPLERS = ("hmc", *TRAINED, "heatbath", "exact")


def validate(settings: Settings) -> None:
    """Raise SettingsError for the first setting that cannot be used."""
    one_of("theory.group", settings.theory.group, list(GROUPS))
    one_of("sampler.name", settings.sampler.name, list(SAMPLERS))
    one_of("sampler.integrator", settings.sampler.integrator, list(INTEGRATORS))
    one_of("flow.name", settings.flow.name, list(CIRCLE_MAPS))
    one_of("training.schedule", settings.training.schedule, ["constant", "cosine"])
    one_of("training.annealing", settings.training.annealing, ["none", "linear", "eras"])
    one_of("precision", settings.precision, list(PRECISIONS))
    one_of("framework", settings.framework, ["jax"])
    one_of("backend", settings.backend, ["none"])
    at_least("chains", settings.chains, 1)
    at_least("seed", settings.seed, 0)
    at_least("theory.beta", settings.theory.beta, 0)
    at_least("sampler.n_steps", settings.sampler.n_steps, 1)
    at_least("sampler.overrelaxation", settings.sampler.overrelaxation, 0)
    at_least("network.kernel_size", settings.network.kernel_size, 3)
    at_least("flow.components", settings.flow.components, 1)
    at_least("flow.bins", settings.flow.bins, 2)
    at_least("training.steps", settings.training.steps, 0)
    for name in ("batch", "chunk", "quality_every", "ess_samples", "keep", "eras"):
        at_least(f"training.{name}", getattr(settings.training, name), 1)
    for name in ("draws", "chunks", "tune_iterations", "tune_draws", "most_steps", "timing_rounds"):
        at_least(f"evaluate.{name}", getattr(settings.evaluate, name), 1)
    for name in ("warmup", "hmc_draws", "hmc_warmup"):
        at_least(f"evaluate.{name}", getattr(settings.evaluate, name), 0)
    for name in ("learning_rate", "clip"):
        if not getattr(settings.training, name) > 0:
            raise SettingsError(
                f"training.{name}", getattr(settings.training, name), "must be positive"
            )
    for name in ("lengths", "targets"):
        values = getattr(settings.evaluate, name)
        if not values or not all(v > 0 for v in values):
            raise SettingsError(f"evaluate.{name}", values, "needs positive numbers")
    if settings.sampler.trajectory_length <= 0:
        raise SettingsError(
            "sampler.trajectory_length", settings.sampler.trajectory_length, "must be positive"
        )
    theory = build_theory(settings)
    try:
        if settings.sampler.name in TRAINED:
            check_space(theory.space)
            if settings.flow.n_layers < 2 or settings.flow.n_layers % 2:
                raise SettingsError(
                    "flow.n_layers", settings.flow.n_layers, "must be a positive even number"
                )
            if settings.network.kernel_size % 2 == 0:
                raise SettingsError(
                    "network.kernel_size", settings.network.kernel_size, "must be odd"
                )
        else:
            build_sampler(settings, theory, None)
    except SettingsError:
        raise
    except ValueError as error:
        key = "theory.lattice" if "lattice" in str(error) else "sampler.name"
        value = settings.theory.lattice if "lattice" in str(error) else settings.sampler.name
        raise SettingsError(key, value, str(error)) from error


def build_theory(settings: Settings) -> Wilson:
    """The theory, in the run's precision."""
    real = PRECISIONS[settings.precision]
    try:
        space = Links(GROUPS[settings.theory.group], tuple(settings.theory.lattice), real)
    except ValueError as error:
        raise SettingsError("theory.lattice", settings.theory.lattice, str(error)) from error
    return Wilson(space, float(settings.theory.beta))


def build_flow(settings: Settings, theory: Wilson, key: Key[Array, ""]) -> Flow:
    """The flow before training."""
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


def build_sampler(settings: Settings, theory: Theory, flow: Flow | None) -> Sampler:
    """The sampler that is evaluated, before tuning."""
    match settings.sampler.name, flow:
        case "flow", Flow():
            return Independence(theory, flow)
        case "fthmc", Flow():
            return build_hmc(settings, theory.pullback(flow))
        case "heatbath", None:
            return Heatbath(theory, overrelaxation=settings.sampler.overrelaxation)
        case "exact", None:
            return ExactU1(theory)
        case "hmc", None:
            return build_hmc(settings, theory)
    raise SettingsError("sampler.name", settings.sampler.name, "needs a flow")


def build_hmc(settings: Settings, theory: Theory) -> HMC:
    """HMC with the settings' integrator and its untuned trajectory."""
    steps = settings.sampler.n_steps
    return HMC(
        theory,
        settings.sampler.trajectory_length / steps,
        steps,
        INTEGRATORS[settings.sampler.integrator],
    )
