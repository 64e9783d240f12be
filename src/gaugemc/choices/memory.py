"""The memory that a run needs, roughly, and whether the machine has it: asked before any work."""

import math
import os
from pathlib import Path
from typing import Any, NamedTuple

from gaugemc.choices.option import SettingsError
from gaugemc.choices.settings import Settings
from gaugemc.choices.traits import baseline, baseline_draws, has_network, trained

FIELDS_OF_A_CHAIN = 10
"""A trajectory holds about so many fields: position, momentum, force, loops, and where it began."""
FIELDS_OF_A_LAYER = 4
"""What the gradient of a layer of a flow or a leapfrog keeps, its networks apart."""
BYTES_OF_A_DRAW = 3 * 8 * 8.0
"""Eight numbers of a draw; the draws, their next chunk's and their checkpoint's copies."""
BYTES_OF_A_NODE = 8 * 16 * 8.0
"""A node of the grid of levels: kinds of splits, arrays, and their numbers."""
COPIES_OF_PARAMETERS = 6.0
"""Parameters, gradient, two moments of Adam, update and checkpoint."""


class Demand(NamedTuple):
    """What one part of a run needs."""

    key: str
    """The setting to reduce, which the others cannot make up for."""
    what: str
    needed: float
    """Bytes."""
    advice: str


def check_memory(settings: Settings) -> None:
    """Raise SettingsError for the first setting that needs more memory than there is."""
    available = available_memory()
    for demand in demands(settings):
        refuse_beyond(settings, demand, available)


def check_parameters(settings: Settings, model: Any) -> None:
    """Raise SettingsError if the parameters of a model, given by their shapes, do not fit."""
    import equinox as eqx
    import jax

    leaves = jax.tree.leaves(eqx.filter(model, lambda leaf: hasattr(leaf, "dtype")))
    size = sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in leaves)
    advice = f"reduce network.hidden, network.kernel_size or {depth_key(settings)}"
    what = "the parameters"
    demand = Demand("network.hidden", what, COPIES_OF_PARAMETERS * size, advice)
    refuse_beyond(settings, demand, available_memory())


def demands(settings: Settings) -> list[Demand]:
    """What the parts of a run need, by formulas that rather say too little."""
    e, t = settings.evaluate, settings.training
    field, layers = field_bytes(settings), layer_bytes(settings)
    chain = FIELDS_OF_A_CHAIN * field
    depth = depth_key(settings)
    everything = settings.chains * (chain + layers)
    found = [
        Demand("theory.lattice", "one chain", chain, "reduce theory.lattice"),
        Demand(depth, "the layers", layers, f"reduce {depth}, network.hidden or theory.lattice"),
        Demand("chains", f"{settings.chains} chains", everything, "reduce chains"),
    ]
    if trained(settings) and t.objective == "levels":
        grid = t.batch**2 * BYTES_OF_A_NODE
        found.append(Demand("training.batch", "the grid of levels", grid, "reduce training.batch"))
    elif trained(settings):
        batch = t.batch * (field + layers)
        what = f"gradients of {t.batch} configurations"
        found.append(Demand("training.batch", what, batch, "reduce training.batch"))
    lengths = {"draws": e.draws + e.warmup}
    if baseline(settings):
        warmup = e.hmc_warmup if baseline(settings) == "hmc" else e.warmup
        lengths[f"{baseline(settings)}_draws"] = baseline_draws(settings) + warmup
    for key, draws in lengths.items():
        needed = draws * settings.chains * BYTES_OF_A_DRAW
        what = f"{draws} draws of {settings.chains} chains"
        found.append(
            Demand(f"evaluate.{key}", what, needed, f"reduce evaluate.{key}, its warm-up or chains")
        )
    return found


def depth_key(settings: Settings) -> str:
    """The setting that is the number of layers of what is trained."""
    return f"{settings.sampler.trains}.{trained(settings).depth}" if trained(settings) else ""


def field_bytes(settings: Settings) -> float:
    """Bytes of one configuration; toys have few numbers."""
    t = settings.theory
    real = 8 if settings.precision == "fp64" else 4
    numbers = 1 if t.group in (None, "U1") else 2 * int(t.group.removeprefix("SU")) ** 2
    return float(real * numbers * len(t.lattice) * math.prod(t.lattice))


def layer_bytes(settings: Settings) -> float:
    """Bytes that the gradient through all layers keeps of one configuration."""
    model = trained(settings)
    if model is None or not model.depth:
        return 0.0
    layers = getattr(model, model.depth)
    real = 8 if settings.precision == "fp64" else 4
    channels = sum(settings.network.hidden) if has_network(settings) else 0
    # A layer of a flow changes a part of the plaquettes; an eighth, at least.
    activations = real * channels * math.prod(settings.theory.lattice) / 8
    return layers * (FIELDS_OF_A_LAYER * field_bytes(settings) / 8 + activations)


def refuse_beyond(settings: Settings, demand: Demand, available: float) -> None:
    """Raise SettingsError if the demand is larger than what is there."""
    if demand.needed <= available:
        return
    group, _, name = demand.key.rpartition(".")
    value = getattr(getattr(settings, group) if group else settings, name)
    problem = (
        f"{demand.what} need{'' if demand.what.endswith('s') else 's'} about"
        f" {readable(demand.needed)} of memory and there are {readable(available)}: {demand.advice}"
    )
    raise SettingsError(demand.key, value, problem)


def available_memory(root: Path = Path("/sys/fs/cgroup")) -> float:
    """Bytes that a run may use: the machine's memory, or what its container or batch job leaves."""
    limits = [float("inf")]
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        limits.append(float(os.sysconf("SC_PHYS_PAGES")) * os.sysconf("SC_PAGE_SIZE"))
    for path in (root / "memory.max", root / "memory/memory.limit_in_bytes"):
        try:
            limits.append(float(path.read_text()))
        except (OSError, ValueError):  # no such limit, or "max"
            continue
    return min(limits)


def readable(size: float) -> str:
    """Bytes as 12 GB."""
    power = min(int(math.log(max(size, 1), 1000)), 6)
    return f"{size / 1000**power:.3g} {('bytes', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB')[power]}"
