"""What one word of the configuration stands for: its settings, what it refuses, what it builds.

Nothing here, and no file of a choice, imports JAX before it builds: help and refusals are quick.
"""

import abc
import math
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, dataclass_transform

from omegaconf import MISSING

from gaugemc.choices.built import HMC, Flow, RandomKey, Sampler, Settings, Theory, Wilson
from gaugemc.choices.option import SettingsError, at_least, filled, one_of, option

LARGEST_BETA = 1e6
"""A plaquette is then 5e-7 from 1, and float32 holds cosines to 6e-8."""
Row = Mapping[str, float | int | None]
Track = Callable[[int, Row], None]


def coupling(key: str, value: Any) -> None:
    """Refuse what is no coupling."""
    at_least(0)(key, value)
    if value > LARGEST_BETA:
        raise SettingsError(key, value, f"must be at most {LARGEST_BETA:g}")


def hidden_layer(settings: Settings) -> None:
    """Refuse networks without a hidden layer."""
    if not settings.network.hidden:
        raise SettingsError("network.hidden", [], "needs one hidden layer or more")


@dataclass_transform(frozen_default=True)
class Choice(abc.ABC):
    """A choice of a group: a frozen dataclass of its settings, whose docstring says what it is."""

    __dataclass_fields__: ClassVar[dict[str, Any]]
    of_group: ClassVar[str]
    """The group, such as flow."""
    label: ClassVar[str]
    """What reports call it, within a sentence; its word, if it does not say."""
    defaults: ClassVar[Mapping[str, Any]] = {}
    """Other settings that have another default beside it, in groups by group and key."""

    named_by: ClassVar[str] = "name"
    """The field whose default is the word for it on the command line."""

    def __init_subclass__(cls) -> None:
        dataclass(frozen=True)(cls)
        if "label" not in vars(cls):
            cls.label = cls.word()

    @classmethod
    def word(cls) -> str:
        """What the command line calls it."""
        return getattr(cls, cls.named_by)

    def refuse(self, settings: Settings) -> None:  # noqa: B027
        """Raise SettingsError for what it cannot do beside the other settings."""


class FlowChoice(Choice):
    """The normalizing flow of fthmc, flow and mixed."""

    of_group = "flow"
    name: str = option(MISSING, "the choice: flow=NAME")
    has_network: ClassVar[bool] = True
    """Whether the settings of networks have a meaning for it."""
    objectives: ClassVar[tuple[str, ...]] = (
        "reverse_kl",
        "path_gradient",
        "forward_kl",
        "symmetric_kl",
        "forces",
        "jump",
        "none",
    )
    """What can train it."""
    free: ClassVar[tuple[str, ...]] = ("load",)
    """Settings that may be others than those of a flow that is loaded."""
    closed: ClassVar[bool] = False
    """Whether its inverse is a formula; others check at run time that they have converged."""
    depth: ClassVar[str] = ""
    """The setting that is its number of layers, for an estimate of memory."""

    load: str | None = option(
        None,
        "run directory whose trained flow to start from, also from another lattice, or a model of"
        " the package, gaugemc:NAME",
        filled,
    )

    def refuse(self, settings: Settings) -> None:
        if self.has_network:
            at_least(3)("network.kernel_size", settings.network.kernel_size)

    @abc.abstractmethod
    def build(self, settings: Settings, theory: Wilson, key: RandomKey) -> Flow:
        """The flow before training."""


INTEGRATORS = {"leapfrog": 1, "omelyan": 2, "forest_ruth": 3, "omf4": 5}
"""Names of integrators, and the forces of one step."""


class SamplerChoice(Choice):
    """How it is sampled."""

    of_group = "sampler"
    name: str = option(MISSING, "the choice: sampler=NAME")
    trains: ClassVar[str] = ""
    """The group of what is trained for it: flow or dynamics."""
    vectors: ClassVar[bool] = False
    """Whether it samples toys, densities of vectors."""
    has_trajectories: ClassVar[bool] = False
    """Whether its draws are trajectories of HMC."""

    integrator: str = option(
        "omelyan",
        "integrator of HMC, the baseline's too: leapfrog, omelyan, forest_ruth or omf4",
        one_of(*INTEGRATORS),
    )

    @property
    def tuned(self) -> bool:
        """Whether its trajectories are tuned."""
        return False

    @property
    def is_baseline(self) -> bool:
        """Whether it is the tuned HMC that runs beside the others."""
        return False

    def hmc(self, theory: Theory, force_scale: float = math.inf) -> HMC:
        """HMC where the tuner starts."""
        from gaugemc.samplers import HMC

        return HMC(theory, 0.1, 10, self.integrator, force_scale)

    @abc.abstractmethod
    def build(self, settings: Settings, theory: Theory, model: Any) -> Sampler:
        """The sampler that is evaluated, before tuning, on what was trained for it."""


class TheoryChoice(Choice):
    """What is sampled."""

    of_group = "theory"
    named_by = "choice"
    with_samplers: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """What the theory changes for a sampler alone, after `defaults`; by the sampler's word."""
    with_modes: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """What the theory changes in a mode alone; by the mode's word."""

    choice: str = option(MISSING, "the choice: theory=NAME")
    name: str = option(MISSING, "name of the theory, for the report", filled)
    group: str | None = option(None, "gauge group: U1, SU2 or SU3; null for a toy")
    lattice: list[int] = option([], "extent of the lattice in each direction; [] for a toy")
    beta: float = option(1.0, "inverse coupling, which the action contains; 1 for a toy", coupling)
    toy: str | None = option(None, "toy density of vectors, in place of links")

    @property
    def with_action(self) -> str:
        """What a sentence adds to coupling and lattice where the action is not the usual one."""
        return ""

    @property
    def is_u1_2d(self) -> bool:
        """Whether its links are angles in two dimensions."""
        return self.group == "U1" and len(self.lattice) == 2

    def l2hmc_step(self) -> float:
        """The step size of L2HMC where none is given."""
        return 0.2

    @abc.abstractmethod
    def build(self, real: Any) -> Theory:
        """The theory, with real numbers of a type."""


class TrackerChoice(Choice):
    """Where the history of training goes besides metrics.csv."""

    of_group = "tracker"
    package: ClassVar[str] = ""
    """The package that it needs; the extra of gaugemc has the tracker's name."""
    name: str = option(MISSING, "the choice: tracker=NAME")
    also: list[str] = option([], "further trackers, with their defaults: [tensorboard]")

    def refuse(self, settings: Settings) -> None:
        if self.package and find_spec(self.package) is None:
            problem = f'not installed: pip install "gaugemc[{self.name}]"'
            raise SettingsError("tracker", self.name, problem)

    @abc.abstractmethod
    def track(
        self, settings: Settings, path: Path, first_step: int
    ) -> AbstractContextManager[Track]:
        """A function that tracks a row of numbers at a step; what was not measured is left out.

        A resumed run goes on in the same tracked run: rows from `first_step` on replace those that
        were tracked before it was interrupted. The context ends with the run: unless by an
        exception, the report is then in `path`.
        """


def measured(row: Row) -> dict[str, float | int]:
    """A row without its step and without empty cells."""
    return {name: value for name, value in row.items() if value is not None and name != "step"}
