"""Refusing settings that cannot work, before any work is done."""

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

from gaugemc.choices.choice import SamplerChoice
from gaugemc.choices.frameworks import (
    BACKENDS,
    launcher,
    processes,
    refuse_framework,
    refuse_parts,
    refuse_zero,
)
from gaugemc.choices.memory import check_memory, check_parameters
from gaugemc.choices.menu import menu, metadata
from gaugemc.choices.option import SettingsError, one_of
from gaugemc.choices.samplers.heatbath import HeatbathSampler
from gaugemc.choices.settings import Settings
from gaugemc.choices.tracking import trackers
from gaugemc.choices.traits import (
    baseline,
    batches,
    force_beta,
    has_flow_jumps,
    has_jumps,
    has_network,
    trained,
    where_trained,
)
from gaugemc.choices.uses import flat

LARGEST_COUNT = 2**31 - 1


def validate(settings: Settings) -> None:
    """Raise SettingsError for the first setting that cannot be used."""
    refuse(settings)
    from gaugemc.choices.build import abstract_model, build_sampler, build_theory
    from gaugemc.choices.measuring import refuse_observables

    theory = build_theory(settings)
    refuse_observables(settings, theory)
    refuse_heatbath(settings, theory)
    try:
        if trained(settings):
            model = abstract_model(settings, theory)
            check_parameters(settings, model)
            refuse_differences(settings, theory, model)
        else:
            build_sampler(settings, theory, None)
    except SettingsError:
        raise
    except ValueError as error:
        if "lattice" in str(error):
            raise SettingsError("theory.lattice", settings.theory.lattice, str(error)) from error
        flow = settings.sampler.trains == "flow"
        key, value = ("flow", settings.flow.name) if flow else ("sampler", settings.sampler.name)
        other = "flow=stout, for links of any group, or " if flow else ""
        known = "sampler=hmc" in str(error)
        problem = str(error) if known else f"{error}; choose {other}sampler=hmc"
        raise SettingsError(key, value, problem) from error
    refuse_training_lattice(settings)


def refuse_differences(settings: Settings, theory: Any, model: Any) -> None:
    """Raise SettingsError for jumps of a flow by differences in too many parameters."""
    if not has_flow_jumps(settings):
        return
    from gaugemc.training import FlowTrajectories
    from gaugemc.training.differences import MOST, n_parameters

    count = n_parameters(model)
    if count > MOST and not FlowTrajectories.has_reverse_pass(theory):
        problem = (
            f"in {len(settings.theory.lattice)}D its derivative is a difference in each parameter,"
            f" at most {MOST}, and the flow has {count}: choose flow.network=false,"
            " flow.sweeps=1 or training.objective=forces"
        )
        raise SettingsError("training.objective", "jump", problem)


def refuse_training_lattice(settings: Settings) -> None:
    """Raise SettingsError where what is trained cannot be trained on another lattice."""
    from gaugemc.choices.build import abstract_model, build_theory

    lattice, theory = settings.training.lattice, settings.theory
    if lattice is None or theory.group is None or not trained(settings):
        return
    there = where_trained(settings)
    try:
        if len(lattice) != len(theory.lattice):
            raise ValueError(f"needs {len(theory.lattice)} extents, as theory.lattice has")
        built = build_theory(there)
        if hasattr(trained(there), "refuse"):
            trained(there).refuse(there)
        abstract_model(there, built)
        if settings.sampler.trains == "dynamics" and settings.dynamics.network == "dense":
            raise ValueError("dense networks hold the lattice size: choose dynamics.network=force")
    except ValueError as error:
        problem = str(error).removeprefix(f"theory.lattice={lattice}: ")
        raise SettingsError("training.lattice", lattice, problem) from error


def refuse_heatbath(settings: Settings, theory: Any) -> None:
    """Raise SettingsError for heatbath beside HMC where there is none."""
    if baseline(settings) != "heatbath":
        return
    try:
        HeatbathSampler().build(settings, theory, None)
    except ValueError as error:
        problem = f"{str(error).removesuffix('; choose sampler=hmc')}; or set it to 0"
        draws = settings.evaluate.heatbath_draws
        raise SettingsError("evaluate.heatbath_draws", draws, problem) from error


def refuse(settings: Settings) -> None:
    """Raise SettingsError for the first setting that is seen to be useless without JAX."""
    validate_values(settings)
    for key, value, check in checks(settings):
        if check is not None:
            check(key, value)
    if settings.theory.group is None:
        refuse_vectors(settings, settings.sampler)
    for choice in (settings.theory, trained(settings), settings.sampler, *trackers(settings)):
        if hasattr(choice, "refuse"):
            choice.refuse(settings)
    model = trained(settings) or settings.flow
    one_of(*model.objectives)("training.objective", settings.training.objective)
    validate_forces(settings)
    validate_trajectories(settings)
    validate_batches(settings)
    validate_framework(settings)
    validate_parts(settings)
    validate_files(settings)
    validate_precision(settings)
    check_memory(settings)


def checks(settings: Settings) -> Iterator[tuple[str, Any, Any]]:
    """Each setting: its full key, its value, and the check of its values."""
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if not dataclasses.is_dataclass(value):
            yield field.name, value, field.metadata["check"]
            continue
        for f in dataclasses.fields(value):
            of_choice = field.name in menu()
            known = metadata(type(value), f.name) if of_choice else f.metadata  # pyright: ignore
            yield f"{field.name}.{f.name}", getattr(value, f.name), known["check"]


def refuse_vectors(settings: Settings, sampler: SamplerChoice) -> None:
    """Raise SettingsError for a sampler that needs links."""
    if not sampler.vectors:
        able = [f"sampler={word}" for word, c in menu()["sampler"].items() if c.vectors]  # pyright: ignore
        problem = f"{settings.theory.name} has no links: choose {' or '.join(able)}"
        raise SettingsError("sampler", sampler.name, problem)


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
        raise SettingsError(key, value, "must be one line of printable characters")


def held_by_float32(value: float) -> bool:
    """Whether float32 holds a number, without overflow and underflow; other checks refuse NaN."""
    return not math.isfinite(value) or value == 0 or 1e-37 <= abs(value) <= 1e38


def validate_precision(settings: Settings) -> None:
    """Raise SettingsError where a precision of networks meets no network."""
    if settings.precision in ("bf16", "fp16") and not has_network(settings):
        flow = f" with flow={settings.flow.name}" if settings.sampler.trains == "flow" else ""
        problem = (
            f"is a precision of networks, and sampler={settings.sampler.name}{flow} has none:"
            " choose fp32 or fp64"
        )
        raise SettingsError("precision", settings.precision, problem)


INVERTING = ("path_gradient", "forward_kl", "symmetric_kl", "jump")
"""Objectives of flows that need the inverse."""


def validate_framework(settings: Settings) -> None:
    """Raise SettingsError unless the framework is there and can train this."""
    sharing = settings.devices.launcher
    if sharing != "none" and processes() > 1 and not BACKENDS[settings.backend].meets:
        problem = f"{launcher()} started {processes()} processes, which train: choose none"
        raise SettingsError("devices.launcher", sharing, problem)
    if trained(settings) is None:
        return
    refuse_framework(settings.framework, settings.backend)
    if settings.backend == "deepspeed":
        refuse_zero(settings.zero, settings.precision)
    if settings.framework != "jax" and not has_jumps(settings):
        problem = "has no Gauss-Newton steps for loss.form=energy: choose jax, or loss.form=plain"
        raise SettingsError("framework", settings.framework, problem)
    stout = settings.sampler.trains == "flow" and settings.flow.name == "stout"
    if settings.framework == "tensorflow" and stout:
        problem = "has no determinants of matrices, which flow=stout needs: choose jax or pytorch"
        raise SettingsError("framework", settings.framework, problem)
    inverted = settings.sampler.trains == "flow" and settings.training.objective in INVERTING
    if settings.framework == "tensorflow" and inverted and not settings.flow.closed:
        problem = (
            f"has no errors at run time, which the inverse of flow={settings.flow.name} has and"
            f" training.objective={settings.training.objective} needs: choose jax or pytorch"
        )
        raise SettingsError("framework", settings.framework, problem)
    refuse_parts(batches(settings), settings.training.objective)


def validate_parts(settings: Settings) -> None:
    """Raise SettingsError unless the lattice can be cut as the settings want."""
    parts, theory = settings.devices.parts, settings.theory
    if parts > 1 and (theory.group is None or theory.lattice[0] % parts):
        extent = "" if theory.group is None else f", whose first extent is {theory.lattice[0]},"
        problem = f"{theory.name}{extent} cannot be cut in so many equal parts"
        raise SettingsError("devices.parts", parts, problem)


def validate_files(settings: Settings) -> None:
    """Raise SettingsError for files of configurations that cannot hold those of the theory."""
    theory, e = settings.theory, settings.evaluate
    if e.start is not None and theory.group is None:
        raise SettingsError("evaluate.start", e.start, f"{theory.name} has no links")
    in_file = e.configurations and e.format != "hdf5"
    if in_file and (theory.group in (None, "U1") or len(theory.lattice) != 4):
        problem = f"holds 4D SU(N) links, not {theory.name}: choose hdf5"
        raise SettingsError("evaluate.format", e.format, problem)


def validate_forces(settings: Settings) -> None:
    """Raise SettingsError unless the forces to learn are those of a smaller coupling."""
    beta, aim = settings.theory.beta, force_beta(settings)
    if settings.training.objective == "forces" and aim >= max(beta, 1e-9):
        problem = f"must be smaller than theory.beta={beta:g}"
        raise SettingsError("training.force_beta", aim, problem)


def validate_trajectories(settings: Settings) -> None:
    """Raise SettingsError for jumps of a flow without trajectories in its variables."""
    if has_flow_jumps(settings) and not settings.sampler.has_trajectories:
        problem = f"sampler={settings.sampler.name} makes no trajectories: choose sampler=fthmc"
        raise SettingsError("training.objective", "jump", problem)


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
