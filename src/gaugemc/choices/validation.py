"""Refusing settings that cannot work, before any work is done."""

import math
import re

from gaugemc.choices.build import (
    FLOWS,
    GROUPS,
    NETWORK_TYPES,
    PRECISIONS,
    SAMPLERS,
    STARTS,
    TRAINED,
    abstract_model,
    build_sampler,
    build_theory,
    own_observables,
)
from gaugemc.choices.memory import check_memory, check_parameters
from gaugemc.choices.settings import (
    NAME_RULE,
    PACKAGES,
    Settings,
    SettingsError,
    at_least,
    flat,
    fraction,
    one_of,
    positive,
)
from gaugemc.choices.tracker import check_installed
from gaugemc.choices.uses import has_flow, has_leapfrog, has_network
from gaugemc.observables import OBSERVABLES
from gaugemc.observables.sine_charge import SineCharge
from gaugemc.samplers import INTEGRATORS
from gaugemc.samplers.l2hmc.l2hmc import DIRECTIONS
from gaugemc.samplers.l2hmc.trainable_leapfrog import NETWORKS
from gaugemc.theories import TOYS, Theory, Wilson
from gaugemc.training.jump import FORMS
from gaugemc.training.schedule import ANNEALINGS, RATES

LARGEST_BETA = 1e6
"""A plaquette is then 5e-7 from 1, and float32 holds cosines to 6e-8."""
LARGEST_COUNT = 2**31 - 1
LARGEST_SEED = 2**63 - 1
NAME = re.compile(r"[\w.-]+", re.ASCII)


def validate(settings: Settings) -> None:
    """Raise SettingsError for the first setting that cannot be used."""
    validate_values(settings)
    validate_names(settings)
    one_of("sampler.name", settings.sampler.name, list(SAMPLERS))
    if settings.theory.toy is None:
        one_of("theory.group", settings.theory.group, list(GROUPS))
    else:
        validate_toy(settings)
    one_of("sampler.integrator", settings.sampler.integrator, list(INTEGRATORS))
    one_of("flow.name", settings.flow.name, list(FLOWS))
    one_of("flow.start", settings.flow.start, list(STARTS))
    one_of("dynamics.network", settings.dynamics.network, list(NETWORKS))
    one_of("dynamics.direction", settings.dynamics.direction, list(DIRECTIONS))
    one_of("loss.form", settings.loss.form, list(FORMS))
    one_of("training.objective", settings.training.objective, objectives(settings))
    one_of("training.schedule", settings.training.schedule, list(RATES))
    one_of("training.annealing", settings.training.annealing, list(ANNEALINGS))
    one_of("precision", settings.precision, list(PRECISIONS))
    one_of("framework", settings.framework, ["jax"])
    one_of("backend", settings.backend, ["none"])
    one_of("tracker.name", settings.tracker.name, list(PACKAGES))
    check_installed(settings.tracker.name)
    validate_numbers(settings)
    validate_batches(settings)
    validate_precision(settings)
    check_memory(settings)
    if has_leapfrog(settings) and settings.theory.group not in (None, "U1"):
        problem = (
            "the leapfrog of L2HMC is for two-dimensional U(1) and toys, not yet for"
            f" {settings.theory.name}: choose sampler=hmc"
        )
        raise SettingsError("sampler.name", "l2hmc", problem)
    theory = build_theory(settings)
    validate_observables(settings, theory)
    try:
        if settings.sampler.name == "l2hmc" and isinstance(theory, Wilson):
            validate_jumps(settings, theory)
        if settings.sampler.name in TRAINED:
            check_parameters(settings, abstract_model(settings, theory))
        else:
            build_sampler(settings, theory, None)
    except SettingsError:
        raise
    except ValueError as error:
        if "lattice" in str(error):
            raise SettingsError("theory.lattice", settings.theory.lattice, str(error)) from error
        problem = str(error) if "sampler=hmc" in str(error) else f"{error}; choose sampler=hmc"
        raise SettingsError("sampler.name", settings.sampler.name, problem) from error


def validate_values(settings: Settings) -> None:
    """Raise SettingsError for the first value that no run could hold."""
    for key, value in flat(settings).items():
        members = value if isinstance(value, list) else [value]
        for member in members:
            if isinstance(member, str):
                one_line_of_text(key, member)
            elif isinstance(member, int) and abs(member) > LARGEST_COUNT and key != "seed":
                raise SettingsError(key, value, f"must be at most {LARGEST_COUNT}")
            elif isinstance(member, float) and not held_by_float32(member):
                raise SettingsError(key, value, "must be 0 or between 1e-37 and 1e38 (float32)")


def one_line_of_text(key: str, value: str) -> None:
    """Raise SettingsError unless the text can be printed in a line."""
    if value == "???":
        raise SettingsError(key, value, "has no value: give one")
    if not value.isprintable():
        raise SettingsError(key, ascii(value), "must be one line of printable characters")


def held_by_float32(value: float) -> bool:
    """Whether float32 holds a number, without overflow and underflow; other checks refuse NaN."""
    return not math.isfinite(value) or value == 0 or 1e-37 <= abs(value) <= 1e38


def validate_names(settings: Settings) -> None:
    """Raise SettingsError unless names can be printed, and the run's can be part of a path."""
    name = settings.name
    if not NAME.fullmatch(name) or not name.strip("."):
        raise SettingsError("name", name, NAME_RULE)
    for key, value in (
        ("theory.name", settings.theory.name),
        ("tracker.project", settings.tracker.project),
        ("flow.load", settings.flow.load),
        ("dynamics.load", settings.dynamics.load),
    ):
        if value is not None and not value.strip():
            raise SettingsError(key, value, "must not be empty")


def validate_precision(settings: Settings) -> None:
    """Raise SettingsError where a precision of networks meets no network."""
    if settings.precision in NETWORK_TYPES and not has_network(settings):
        flow = f" with flow={settings.flow.name}" if has_flow(settings) else ""
        problem = (
            f"is a precision of networks, and sampler={settings.sampler.name}{flow} has none:"
            " choose fp32 or fp64"
        )
        raise SettingsError("precision", settings.precision, problem)


def validate_toy(settings: Settings) -> None:
    """Raise SettingsError for the first setting that a toy density has no use for."""
    t = settings.theory
    one_of("theory.toy", t.toy, list(TOYS))
    for key, value, wanted in (
        ("theory.group", t.group, None),
        ("theory.lattice", t.lattice, []),
        ("theory.beta", t.beta, 1.0),
    ):
        if value != wanted:
            shown = "null" if wanted is None else wanted
            problem = f"{t.name} is a toy, without links: leave it at {shown}"
            raise SettingsError(key, value, problem)
    name = settings.sampler.name
    if name not in ("hmc", "l2hmc"):
        problem = f"{t.name} is a toy, without links: choose sampler=hmc or sampler=l2hmc"
        raise SettingsError("sampler.name", name, problem)
    if name == "hmc":
        return
    if settings.dynamics.network != "dense":
        problem = f"{t.name} is a toy, without links: choose dense"
        raise SettingsError("dynamics.network", settings.dynamics.network, problem)
    for part in ("charge", "plaquette"):
        weight = getattr(settings.loss, f"{part}_weight")
        if weight != 0:
            problem = f"{t.name} is a toy, trained for distance: set it to 0"
            raise SettingsError(f"loss.{part}_weight", weight, problem)


def objectives(settings: Settings) -> list[str]:
    """The objectives that can train what the sampler needs."""
    if settings.sampler.name == "l2hmc":
        return ["jump"]
    levels = ["levels"] if settings.flow.name == "multiscale" else []
    return ["reverse_kl", "path_gradient", *levels]


def validate_batches(settings: Settings) -> None:
    """Raise SettingsError unless the batch can grow as the settings want."""
    t = settings.training
    if t.doublings and t.objective not in ("reverse_kl", "path_gradient"):
        problem = f"batches of {t.objective} do not grow: set it to 0"
        raise SettingsError("training.doublings", t.doublings, problem)
    if t.doublings > math.log2(t.batch):
        problem = (
            f"a batch of {t.batch} cannot be halved so often: at most {int(math.log2(t.batch))}"
        )
        raise SettingsError("training.doublings", t.doublings, problem)


def validate_observables(settings: Settings, theory: Theory) -> None:
    """Raise SettingsError unless the run can measure what it is asked."""
    wanted = settings.observables or []
    own = own_observables(theory) if wanted else ()
    more = {name: kind() for name, kind in OBSERVABLES.items() if name not in own}
    known = [*own, *(name for name, o in more.items() if o.has_meaning(theory.space))]
    for name in wanted:
        problem = f"there is no {name}; choose of {', '.join(known)}"
        try:
            if name in more:
                more[name].refuse(theory.space)
        except ValueError as error:
            problem = str(error)
        if name not in known:
            raise SettingsError("observables", f"[{','.join(wanted)}]", problem)
    e = settings.evaluate
    if e.measure_every > min(e.draws, e.hmc_draws or e.draws):
        raise SettingsError("evaluate.measure_every", e.measure_every, "must be at most the draws")


def validate_jumps(settings: Settings, theory: Wilson) -> None:
    """Raise SettingsError unless the loss has a part, and each part a meaning."""
    weights = settings.loss.charge_weight, settings.loss.plaquette_weight
    if weights[0] > 0 and not SineCharge().has_meaning(theory.space):
        problem = f"{theory.name} has no such charge: set it to 0"
        raise SettingsError("loss.charge_weight", weights[0], problem)
    for name in ("whitened", "square"):
        weight = getattr(settings.loss, f"{name}_weight")
        if weight > 0:
            problem = f"{theory.name} has links, not vectors: set it to 0"
            raise SettingsError(f"loss.{name}_weight", weight, problem)
    if not any(weights):
        problem = "give this or loss.plaquette_weight a positive weight"
        raise SettingsError("loss.charge_weight", weights[0], problem)


def validate_numbers(settings: Settings) -> None:
    """Raise SettingsError for the first number that is out of its range."""
    at_least("chains", settings.chains, 1)
    at_least("seed", settings.seed, 0)
    if settings.seed > LARGEST_SEED:
        raise SettingsError("seed", settings.seed, f"must be at most 2**63 - 1, {LARGEST_SEED}")
    at_least("theory.beta", settings.theory.beta, 0)
    if settings.theory.beta > LARGEST_BETA:
        raise SettingsError(
            "theory.beta", settings.theory.beta, f"must be at most {LARGEST_BETA:g}"
        )
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
    for name in ("charge", "plaquette", "whitened", "square"):
        at_least(f"loss.{name}_weight", getattr(settings.loss, f"{name}_weight"), 0)
    for name in ("charge", "plaquette", "distance", "whitened", "square"):
        positive(f"loss.{name}_scale", getattr(settings.loss, f"{name}_scale"))
    at_least("loss.aux_weight", settings.loss.aux_weight, 0)
    for name in ("steps", "warmup", "doublings"):
        at_least(f"training.{name}", getattr(settings.training, name), 0)
    counts = ("batch", "chunk", "quality_every", "ess_samples", "keep", "eras", "patience")
    for name in (*counts, "plateau_window"):
        at_least(f"training.{name}", getattr(settings.training, name), 1)
    for name in ("learning_rate", "clip"):
        positive(f"training.{name}", getattr(settings.training, name))
    if not 0 < settings.training.plateau_factor < 1:
        problem = "must lie between 0 and 1, without the ends"
        raise SettingsError("training.plateau_factor", settings.training.plateau_factor, problem)
    for name in ("anneal_start", "anneal_fraction"):
        fraction(f"training.{name}", getattr(settings.training, name))
    for name in (
        "draws",
        "measure_every",
        "chunks",
        "tune_iterations",
        "most_steps",
        "timing_rounds",
    ):
        at_least(f"evaluate.{name}", getattr(settings.evaluate, name), 1)
    at_least("evaluate.tune_draws", settings.evaluate.tune_draws, 2)  # a change needs two
    for name in ("warmup", "hmc_draws", "hmc_warmup", "tune_doublings"):
        at_least(f"evaluate.{name}", getattr(settings.evaluate, name), 0)
    for name, limit in (("lengths", math.inf), ("targets", 1.0)):
        values = getattr(settings.evaluate, name)
        if not values or not all(0 < v < limit for v in values):
            problem = f"needs numbers between 0 and {limit:g}, without the ends"
            raise SettingsError(f"evaluate.{name}", values, problem)
