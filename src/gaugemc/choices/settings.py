"""Everything that a run can be told, with defaults; each comment is the key's documentation."""

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING


class SettingsError(ValueError):
    """A setting cannot be used: one line with the key, the value and the choices."""

    def __init__(self, key: str, value: Any, problem: str):
        super().__init__(f"{key}={value}: {problem}")


def option(default: Any, doc: str) -> Any:
    """A field of settings with its documentation."""
    metadata = {"doc": doc}
    if isinstance(default, list):
        return field(default_factory=lambda: list(default), metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass
class TheorySettings:
    """What is sampled."""

    name: str = option(MISSING, "name of the theory, for the report")
    group: str | None = option(MISSING, "gauge group: U1, SU2 or SU3; null for a toy")
    lattice: list[int] = option(MISSING, "extent of the lattice in each direction; [] for a toy")
    beta: float = option(MISSING, "inverse coupling, which the action contains; 1 for a toy")
    toy: str | None = option(
        None, "toy density of vectors, in place of links; the choice of theory sets it"
    )


@dataclass
class SamplerSettings:
    """How it is sampled."""

    name: str = option(
        MISSING,
        "hmc, fthmc, flow (independence Metropolis), mixed (fthmc and flow), l2hmc, heatbath,"
        " winding (hmc and instanton updates) or exact",
    )
    integrator: str = option("omelyan", "integrator of HMC: leapfrog, omelyan or forest_ruth")
    tune: bool = option(
        True,
        "tune trajectory length and step size (hmc, fthmc, mixed, winding); others are not tuned",
    )
    trajectory_length: float = option(1.0, "trajectory length where tune=false")
    n_steps: int = option(10, "steps of a trajectory where tune=false")
    force_scale: float = option(
        math.inf, "damp components of the force above this (fthmc); exact for every value"
    )
    independence: float = option(
        0.5, "probability that a draw is an independence proposal and not fthmc (mixed)"
    )
    overrelaxation: int = option(4, "overrelaxation sweeps of each heatbath draw")


@dataclass
class NetworkSettings:
    """The networks inside each coupling layer of a flow, and of l2hmc."""

    hidden: list[int] = option([8, 8], "channels of the hidden layers")
    kernel_size: int = option(3, "extent of a convolution kernel, odd")


@dataclass
class FlowSettings:
    """The normalizing flow of fthmc and flow."""

    name: str = option(
        MISSING, "couplings with circle map ncp or spline, pair couplings, or multiscale"
    )
    n_layers: int = option(24, "coupling layers, even; 8 move every link once, 4 of pair")
    components: int = option(2, "terms of the ncp mixture")
    rounds: int = option(1, "rounds of four maps in each pair coupling")
    bound: float = option(4.0, "largest log-scale of a map of ncp or pair")
    bins: int = option(8, "bins of the spline")
    start: str = option(
        "quantiles", "where multiscale starts: quantiles (solved by quadrature) or identity"
    )
    load: str | None = option(
        None, "run directory whose trained flow to start from, also from another lattice"
    )


@dataclass
class DynamicsSettings:
    """The generalised leapfrog of l2hmc."""

    n_leapfrog: int = option(4, "layers: leapfrog steps of one pass; a palindrome makes two")
    eps: float = option(0.2, "step size of every layer before training")
    eps_trainable: bool = option(True, "train the step sizes, one for each layer")
    network: str = option(
        "force",
        "force (gauge-equivariant, of plaquettes), gauge (the same, all of L2HMC), conv or dense",
    )
    bound: float = option(4.0, "largest log-scale of a network, in units of the step")
    separate_networks: bool = option(True, "networks of each layer's own, or the same for all")
    split_x_networks: bool = option(
        True, "two networks for the halves of the position update; not of force"
    )
    direction: str = option("palindrome", "palindrome (forward, flip, backward) or random")
    load: str | None = option(
        None, "run directory whose trained leapfrog to start from; dense: of the same lattice"
    )


@dataclass
class LossSettings:
    """The expected squared jumps that l2hmc maximises, a weighted sum."""

    form: str = option("mixed", "mixed, 1 / jump - jump, or plain, -jump")
    charge_weight: float = option(1.0, "weight of the jump of the sine charge; 0 leaves it out")
    charge_scale: float = option(1.0, "squared jump of the charge that counts as one")
    plaquette_weight: float = option(0.0, "weight of the jump of plaquettes; 0 leaves it out")
    plaquette_scale: float = option(1.0, "squared jump of plaquettes that counts as one")
    distance_scale: float = option(1.0, "squared distance of vectors that counts as one (toys)")
    whitened_weight: float = option(
        0.0, "weight of the distance in units of the widths, toys with one mode; 0 leaves it out"
    )
    whitened_scale: float = option(1.0, "squared distance in those units that counts as one")
    square_weight: float = option(
        0.0, "weight of the distance of the components' squares (toys); 0 leaves it out"
    )
    square_scale: float = option(1.0, "squared distance of squares that counts as one")
    aux_weight: float = option(
        0.0, "weight of proposals from as many hot configurations, drawn anew in each step"
    )


@dataclass
class TrainingSettings:
    """How the flow, or the leapfrog of l2hmc, is trained."""

    objective: str = option(
        "reverse_kl",
        "reverse_kl or path_gradient on configurations, levels (multiscale only): split by split,"
        " or jump (l2hmc)",
    )
    steps: int = option(2000, "gradient steps; 0 uses what is loaded as it is")
    batch: int = option(
        64, "configurations (l2hmc: chains) in each step; nodes a side of the grid of levels"
    )
    doublings: int = option(
        0, "times that the batch doubles on the way to that size, at equal intervals of the steps"
    )
    learning_rate: float = option(3e-3, "largest learning rate of Adam")
    schedule: str = option(
        "cosine",
        "learning rate after warm-up: constant, cosine or plateau (falls when the loss does not)",
    )
    patience: int = option(
        10, "windows without a new smallest loss that are a plateau; none counts while beta rises"
    )
    plateau_window: int = option(20, "steps whose losses are averaged before they are compared")
    plateau_factor: float = option(0.5, "what a plateau multiplies the learning rate by")
    warmup: int = option(100, "steps of linear warm-up")
    clip: float = option(1.0, "largest norm of the gradient")
    annealing: str = option("linear", "beta during training: none, linear or eras; not of levels")
    anneal_start: float = option(0.2, "first beta, as a fraction of the theory's")
    anneal_fraction: float = option(0.5, "fraction of the steps after which beta is reached")
    eras: int = option(4, "number of equal rises where annealing=eras")
    chunk: int = option(50, "steps compiled into one call; a kill loses at most one chunk")
    quality_every: int = option(500, "steps between measurements of the quality")
    ess_samples: int = option(4096, "fresh configurations (l2hmc: draws) to measure it")
    keep: int = option(3, "checkpoints to keep")


@dataclass
class EvaluateSettings:
    """How the trained sampler and the HMC baseline are measured."""

    draws: int = option(500, "draws of each chain of the sampler")
    warmup: int = option(100, "draws discarded first")
    hmc_draws: int = option(4000, "draws of each chain of the HMC baseline; 0 for no baseline")
    hmc_warmup: int = option(500, "draws of the baseline discarded first")
    measure_every: int = option(
        1, "draws between measurements of all observables but the leading ones, for dear ones"
    )
    chunks: int = option(20, "chunks that each set of draws is run in; a kill loses at most one")
    lengths: list[float] = option([0.5, 1.0, 2.0, 4.0], "trajectory lengths that the tuner tries")
    targets: list[float] = option([0.65, 0.9], "acceptances that the tuner tries")
    tune_iterations: int = option(60, "trajectories for finding each step size, at most")
    tune_draws: int = option(60, "trajectories for scoring a candidate of average cost")
    tune_doublings: int = option(
        2, "times that this number doubles for candidates that tie, where that may separate them"
    )
    most_steps: int = option(100, "most steps of a trajectory")
    timing_rounds: int = option(7, "alternating rounds in which sampler and baseline are timed")
    configurations: bool = option(False, "save the last configuration of every chain")


@dataclass
class TrackerSettings:
    """Where the history of training goes besides metrics.csv."""

    name: str = option(MISSING, "none, tensorboard or wandb (extras of the same names)")
    project: str = option("gaugemc", "project of wandb")


@dataclass
class Settings:
    """A whole run."""

    theory: TheorySettings = field(default_factory=TheorySettings)
    sampler: SamplerSettings = field(default_factory=SamplerSettings)
    network: NetworkSettings = field(default_factory=NetworkSettings)
    flow: FlowSettings = field(default_factory=FlowSettings)
    dynamics: DynamicsSettings = field(default_factory=DynamicsSettings)
    loss: LossSettings = field(default_factory=LossSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)
    evaluate: EvaluateSettings = field(default_factory=EvaluateSettings)
    tracker: TrackerSettings = field(default_factory=TrackerSettings)
    observables: list[str] | None = option(
        None, "what is measured besides the theory's leading observables; null for its usual ones"
    )
    name: str = option("run", "name of the run, part of its directory's name")
    seed: int = option(1, "seed of all randomness")
    chains: int = option(64, "chains run at once; half start hot, half cold")
    precision: str = option(
        "fp32", "fp64 or fp32 for everything; bf16 or fp16 for the network, fp32 for the physics"
    )
    framework: str = option("jax", "numerical framework: jax")
    backend: str = option("none", "distribution over processes: none")
    strict: bool = option(False, "exit with code 3 if an exactness check fails or is undecided")
    progress: bool = option(True, "show progress bars")


PACKAGES = {"none": None, "tensorboard": "tensorboardX", "wandb": "wandb"}
"""The package of each tracker; the extras of gaugemc have the trackers' names."""


NAME_RULE = "must be of letters a to z, digits and - _ . alone"
"""For the name of a run, which becomes part of a directory's."""


def flat(settings: Settings) -> dict[str, Any]:
    """The settings by their full keys."""
    groups = dataclasses.asdict(settings)
    scalars = {key: value for key, value in groups.items() if not isinstance(value, dict)}
    return scalars | {
        f"{group}.{key}": value
        for group, members in groups.items()
        if isinstance(members, dict)
        for key, value in members.items()
    }


def one_of(key: str, value: Any, choices: list[str]) -> None:
    """Raise SettingsError unless the value is one of the choices."""
    if value not in choices:
        raise SettingsError(key, value, f"choose one of {', '.join(choices)}")


def at_least(key: str, value: int | float, smallest: int | float) -> None:
    """Raise SettingsError unless the value is large enough and finite (NaN is neither)."""
    if not smallest <= value < math.inf:
        raise SettingsError(key, value, f"must be at least {smallest:g} and finite")


def positive(key: str, value: int | float) -> None:
    """Raise SettingsError unless the value is positive and finite."""
    if not 0 < value < math.inf:
        raise SettingsError(key, value, "must be positive and finite")


def fraction(key: str, value: int | float) -> None:
    """Raise SettingsError unless the value lies between 0 and 1."""
    if not 0 <= value <= 1:
        raise SettingsError(key, value, "must lie between 0 and 1")
