"""Everything that a run can be told, with defaults; each comment is the key's documentation."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from gaugemc.choices.choice import FlowChoice, SamplerChoice, TheoryChoice, TrackerChoice
from gaugemc.choices.devices import DevicesSettings
from gaugemc.choices.dynamics import DynamicsSettings, LossSettings
from gaugemc.choices.frameworks import BACKENDS, FRAMEWORKS
from gaugemc.choices.menu import DEFAULTS, chosen
from gaugemc.choices.option import (
    SettingsError,
    at_least,
    each_between,
    filled,
    fraction,
    must,
    one_of,
    option,
)
from gaugemc.choices.theories.gauge import ACTIONS

LARGEST_SEED = 2**63 - 1
FLOW_STEP = "flow time between measurements of E; steps of the flow are as long, or shorter"
FLOW_KERNEL = "action whose gradient the flow follows: wilson, symanzik, iwasaki or dbw2"
"""Also of `gaugemc measure`."""
NAME_RULE = "must be of letters a to z, digits and - _ . alone"
"""For the name of a run, which becomes part of a directory's."""


BURN_IN_CHAINS, BURN_IN_DRAWS = 4, 20
"""With fewer chains, or fewer measured draws of each, burn-in is not measured."""


def part_of_a_path(key: str, value: str) -> None:
    """Refuse a name that cannot be part of a path."""
    if not re.fullmatch(r"[\w.-]+", value, re.ASCII) or not value.strip("."):
        raise SettingsError(key, value, NAME_RULE)


def usable_seed(key: str, value: int) -> None:
    """Refuse what JAX makes no key of."""
    at_least(0)(key, value)
    if value > LARGEST_SEED:
        raise SettingsError(key, value, f"must be at most 2**63 - 1, {LARGEST_SEED}")


def odd(key: str, value: int) -> None:
    """Refuse the extent of a kernel that has no centre."""
    at_least(1)(key, value)
    if value % 2 == 0:
        raise SettingsError(key, value, "must be odd")


def default(group: str) -> Callable[[], Any]:
    """Makes the choice of a group that nobody chose."""
    return lambda: chosen(group, DEFAULTS[group])()


@dataclass
class NetworkSettings:
    """The networks inside each coupling layer of a flow, and of l2hmc."""

    hidden: list[int] = option(
        [8, 8],
        "channels of the hidden layers",
        must(lambda hidden: all(n >= 1 for n in hidden), "needs positive numbers"),
    )
    kernel_size: int = option(3, "extent of a convolution kernel, odd", odd)


@dataclass
class TrainingSettings:
    """How the flow, or the leapfrog of l2hmc, is trained."""

    objective: str = option(
        "reverse_kl",
        "reverse_kl or path_gradient on draws of the flow, forward_kl on draws of the theory,"
        " symmetric_kl on both, forces: those of a smaller beta, levels (multiscale only): split by"
        " split, jump: trajectories of fthmc or l2hmc, or none: no steps, whatever steps says",
    )
    force_beta: float | None = option(
        None,
        "the smaller beta of forces; by default 0.8 of the theory's",
        must(lambda beta: beta is None or 0 <= beta < math.inf, "must be finite, at least 0"),
    )
    lattice: list[int] | None = option(
        None, "lattice to train on, for what holds no lattice size; by default the theory's"
    )
    steps: int = option(2000, "gradient steps; 0 uses what is loaded as it is", at_least(0))
    batch: int = option(
        64,
        "configurations (jump: chains) in each step; of levels in U(1), nodes a side of the grid",
    )
    doublings: int = option(
        0,
        "times that the batch doubles on the way to that size, at equal intervals of the steps",
        at_least(0),
    )
    learning_rate: float | None = option(
        None,
        "largest learning rate, by default 0.003, or after 2000 steps 0.003 sqrt(2000/steps); with"
        " loss.form=energy the part of a step that is taken",
        must(lambda rate: rate is None or 0 < rate < math.inf, "must be positive and finite"),
    )
    schedule: str = option(
        "cosine",
        "learning rate after warm-up: constant, cosine or plateau (falls when the loss does not)",
        one_of("constant", "cosine", "plateau"),
    )
    patience: int = option(
        10, "windows without a new smallest loss that are a plateau; none counts while beta rises"
    )
    plateau_window: int = option(20, "steps whose losses are averaged before they are compared")
    plateau_factor: float = option(
        0.5,
        "what a plateau multiplies the learning rate by",
        must(lambda x: 0 < x < 1, "must lie between 0 and 1, without the ends"),
    )
    warmup: int = option(100, "steps of linear warm-up", at_least(0))
    clip: float = option(1.0, "largest norm of the gradient")
    annealing: str = option(
        "linear",
        "beta during training: none, linear or eras; not of levels",
        one_of("none", "linear", "eras"),
    )
    anneal_start: float = option(0.2, "first beta, as a fraction of the theory's", fraction)
    anneal_fraction: float = option(
        0.5, "fraction of the steps after which beta is reached", fraction
    )
    eras: int = option(4, "number of equal rises where annealing=eras")
    chunk: int = option(50, "steps compiled into one call; a kill loses at most one chunk")
    quality_every: int = option(500, "steps between measurements of the quality")
    ess_samples: int = option(4096, "fresh configurations (l2hmc: draws) to measure it")
    keep: int = option(3, "checkpoints to keep")

    def __post_init__(self) -> None:
        if self.objective == "none":
            self.steps = 0


@dataclass
class EvaluateSettings:
    """How the trained sampler and the HMC baseline are measured."""

    draws: int = option(500, "draws of each chain of the sampler")
    warmup: int = option(100, "draws discarded first", at_least(0))
    hmc_draws: int = option(
        4000, "draws of each chain of the HMC baseline; 0 for no baseline", at_least(0)
    )
    hmc_warmup: int = option(500, "draws of the baseline discarded first", at_least(0))
    heatbath_draws: int = option(
        0,
        "draws of each chain of heatbath beside sampler=hmc, after evaluate.warmup; 0 for none",
        at_least(0),
    )
    burn_in: int = option(
        200,
        "draws of extra chains, half hot, half cold, that measure burn-in; needs 4 chains; 0: none",
        must(
            lambda draws: draws == 0 or draws >= BURN_IN_DRAWS,
            f"must be 0 or at least {BURN_IN_DRAWS}",
        ),
    )
    measure_every: int = option(
        1, "draws between measurements of all observables but the leading ones, for dear ones"
    )
    flow_time: float = option(
        0.0,
        "time of the gradient flow at which flowed_energy and flowed_charge are measured; 0: none",
        must(lambda time: 0 <= time <= 1000, "must lie between 0 and 1000"),
    )
    flow_step: float = option(0.05, FLOW_STEP)
    flow_kernel: str = option("wilson", FLOW_KERNEL, one_of(*ACTIONS))
    chunks: int = option(20, "chunks that each set of draws is run in; a kill loses at most one")
    lengths: list[float] = option(
        [0.5, 1.0, 2.0, 4.0, 8.0],
        "trajectory lengths that the tuner tries",
        each_between(0, math.inf),
    )
    targets: list[float] = option(
        [0.65, 0.9], "acceptances that the tuner tries", each_between(0, 1)
    )
    tune_for: str = option(
        "seconds",
        "what independent draws of HMC shall be cheap in: seconds or forces",
        one_of("seconds", "forces"),
    )
    tune_iterations: int = option(60, "trajectories for finding each step size, at most")
    tune_draws: int = option(
        60, "trajectories for scoring a candidate of average cost", at_least(2)
    )
    tune_doublings: int = option(
        2,
        "times that this number doubles for candidates that tie, where that may separate them",
        at_least(0),
    )
    most_steps: int = option(100, "most steps of a trajectory")
    timing_rounds: int = option(7, "alternating rounds in which sampler and baseline are timed")
    start: str | None = option(
        None,
        "file of a configuration, in any format that is read, which all chains start from; null"
        " for hot and cold starts",
        filled,
    )
    cold: bool = option(True, "start half of the chains cold; else all of them hot")
    configurations: bool = option(False, "save the last configuration of every chain")
    format: str = option(
        "hdf5",
        "of configurations: hdf5 (in chains/*.h5), nersc or ildg (a file for each chain)",
        one_of("hdf5", "nersc", "ildg"),
    )


@dataclass
class Settings:
    """A whole run."""

    theory: TheoryChoice = field(default_factory=default("theory"))
    sampler: SamplerChoice = field(default_factory=default("sampler"))
    network: NetworkSettings = field(default_factory=NetworkSettings)
    flow: FlowChoice = field(default_factory=default("flow"))
    dynamics: DynamicsSettings = field(default_factory=DynamicsSettings)
    loss: LossSettings = field(default_factory=LossSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)
    evaluate: EvaluateSettings = field(default_factory=EvaluateSettings)
    devices: DevicesSettings = field(default_factory=DevicesSettings)
    tracker: TrackerChoice = field(default_factory=default("tracker"))
    observables: list[str] | None = option(
        None, "what is measured besides the theory's leading observables; null for its usual ones"
    )
    name: str = option("run", "name of the run, part of its directory's name", part_of_a_path)
    seed: int = option(1, "seed of all randomness", usable_seed)
    chains: int = option(64, "chains run at once")
    precision: str = option(
        "fp32",
        "fp64 or fp32 for everything; bf16 or fp16 for the network, fp32 for the physics",
        one_of("fp64", "fp32", "bf16", "fp16"),
    )
    framework: str = option(
        "jax",
        "who trains: jax, or pytorch or tensorflow, which train the same losses",
        one_of(*FRAMEWORKS),
    )
    backend: str = option(
        "none",
        "processes that train: none; pytorch: ddp, deepspeed, horovod; tensorflow: horovod,"
        " multiworker",
        one_of(*BACKENDS),
    )
    zero: int = option(
        0,
        "stage of ZeRO, of backend=deepspeed: 1 shares the optimiser, 2 also gradients; 0: nothing",
        must(lambda zero: zero in (0, 1, 2), "choose one of 0, 1, 2"),
    )
    native: str = option(
        "auto",
        "compiled kernels: auto, where there are any; off for XLA's code alone",
        one_of("auto", "off"),
    )
    strict: bool = option(False, "exit with code 3 if an exactness check fails or is undecided")
    progress: bool = option(True, "show progress bars")

    def networks(self) -> dict[str, Any]:
        """What all makers of networks are told."""
        types = {"bf16": "bfloat16", "fp16": "float16"}
        return {**vars(self.network), "compute_dtype": types.get(self.precision)}
