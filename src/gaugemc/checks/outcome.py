"""The outcome of a check: passed, failed, or undecided; nothing undecided counts as passed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

Outcome = Literal["passed", "failed", "undecided"]

_PASSED: dict[Outcome, bool | None] = {"passed": True, "failed": False, "undecided": None}


@dataclass(frozen=True)
class Check:
    """What one check found."""

    outcome: Outcome
    why: str = ""
    """Why it failed, or what leaves it undecided, in a few words."""
    numbers: Mapping[str, Any] = field(default_factory=dict)
    """What was measured, and its limit."""

    @property
    def passed(self) -> bool | None:
        """Whether the check passed; None where it is undecided."""
        return _PASSED[self.outcome]

    def as_dict(self) -> dict[str, Any]:
        """The check as it stands in summary.json."""
        said = {"why": self.why} if self.why else {}
        return {"outcome": self.outcome, "passed": self.passed, **said, **self.numbers}


def failed(why: str, **numbers: Any) -> Check:
    """A check that failed."""
    return Check("failed", why, numbers)


def undecided(why: str, **numbers: Any) -> Check:
    """A check that could not be decided."""
    return Check("undecided", why, numbers)


def bounded(value: float, limit: float, **numbers: Any) -> Check:
    """A check that a number is small; NaN is not."""
    numbers = {"value": value, "limit": limit, **numbers}
    if value <= limit:
        return Check("passed", "", numbers)
    return failed(f"{value:.2g} is above the limit of {limit:.2g}", **numbers)


def normal(z: float, limit: float, unsettled: str = "", **numbers: Any) -> Check:
    """A check that a z-score is that of a normal distribution.

    A large z-score proves nothing while chains are `unsettled`, that is, say why they are not yet
    in equilibrium.
    """
    numbers = {**numbers, "z": z, "limit": limit}
    if abs(z) <= limit:
        return Check("passed", "", numbers)
    if unsettled:
        return undecided(f"z = {z:+.1f}, but {unsettled}", **numbers)
    return failed(f"z = {z:+.1f} is beyond the limit of {limit:g}", **numbers)


def of_baseline(baseline: str, name: str) -> str:
    """The name in a run of a check of a baseline: hmc_plaquette, hmc-plaquette/convergence."""
    return f"hmc_{name}" if baseline == "hmc" else f"{baseline}/{name}"


def baseline_of(name: str) -> tuple[str, str]:
    """The baseline ("" for the evaluated sampler) and the check that a name in a run stands for."""
    if name.startswith("hmc_"):
        return "hmc", name.removeprefix("hmc_")
    baseline, slash, check = name.rpartition("/")
    return (baseline, check) if slash else ("", name)


class Tally(NamedTuple):
    """The names of a run's checks by their outcome."""

    passed: Sequence[str]
    failed: Sequence[str]
    undecided: Sequence[str]

    @property
    def total(self) -> int:
        """The number of checks."""
        return len(self.passed) + len(self.failed) + len(self.undecided)

    @property
    def open(self) -> list[str]:
        """Undecided checks of the evaluated sampler; those of the baseline are only shown."""
        return [name for name in self.undecided if not baseline_of(name)[0]]

    @property
    def left(self) -> str:
        """How many are undecided, and whether all of these are of a baseline, in words."""
        if not self.undecided:
            return ""
        others = {baseline_of(name)[0].partition("-")[0] for name in self.undecided}
        of = "" if self.open else f", all of {' and '.join(sorted(others)).replace('hmc', 'HMC')}"
        return f", {len(self.undecided)} undecided{of}"

    @property
    def proven(self) -> bool:
        """Whether no check failed, and all of the evaluated sampler passed."""
        return not self.failed and not self.open

    def sentence(self) -> str:
        """How many checks passed, failed and are undecided, in words."""
        if self.failed:
            names = ", ".join(self.failed)
            return f"{len(self.failed)} of {self.total} exactness checks FAILED: {names}{self.left}"
        if self.undecided:
            return f"{len(self.passed)} of {self.total} exactness checks passed{self.left}"
        return f"all {self.total} exactness checks passed" if self.total else "nothing was checked"


def tally(checks: Mapping[str, Mapping[str, Any]]) -> Tally:
    """Count checks as they stand in summary.json."""
    names: dict[Outcome, list[str]] = {"passed": [], "failed": [], "undecided": []}
    for name, check in checks.items():
        names[outcome_of(check)].append(name)
    return Tally(**names)


def outcome_of(check: Mapping[str, Any]) -> Outcome:
    """The outcome of a check in summary.json; older runs say `passed` alone."""
    passed = check.get("passed")
    return "undecided" if passed is None else "passed" if passed else "failed"
