"""A scan: the runs of a multirun, what varies among them, and what each of them found."""

from __future__ import annotations

import pathlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from gaugemc.choices.menu import label
from gaugemc.choices.sweep import differing, jobs
from gaugemc.report.record import Run, heading, read_summary
from gaugemc.statistics.notation import MISSING, format_lattice

KEYS = {
    "theory.name": "theory",
    "theory.beta": "β",
    "theory.lattice": "lattice",
    "sampler.name": "sampler",
    "flow.name": "flow",
}
"""How the page calls settings; any other by its key."""

UNPHYSICAL = ("progress", "strict", "name")
"""Settings that change no number of a run."""

LONGEST = 40
"""Signs of a value that the page shows: the last ones, as of a path."""

NEVER_STARTED = "never started"

DEPTH = 3
"""How far below the directory of a scan its runs are looked for."""


@dataclass(frozen=True)
class Job:
    """One run of a scan; `run` is None where it left no results, and `problem` says why."""

    name: str
    """The directory, seen from that of the scan."""
    settings: Mapping[str, Any]
    """By their full keys."""
    run: Run | None
    problem: str
    words: str = ""
    """Of the command line, those that are of this job alone, where they are known."""

    @property
    def member(self) -> str:
        """The member of a study that the job is; nothing where that is not known."""
        words = (word.partition("=") for word in self.words.split())
        return next((name for key, _, name in words if key == "member"), "")

    @property
    def outcomes(self) -> Counter[str]:
        """How many exactness checks passed, failed and are undecided."""
        checks = self.run.checks.values() if self.run else []
        passed = [check.get("passed") for check in checks]
        return Counter(
            "undecided" if known is None else "passed" if known else "failed" for known in passed
        )


@dataclass(frozen=True)
class Scan:
    """The runs in a directory, with the settings in which they differ."""

    directory: pathlib.Path
    jobs: Sequence[Job]
    overrides: Sequence[str]
    """What the command line said, where it is known."""

    @property
    def finished(self) -> list[Run]:
        """The runs with results."""
        return [job.run for job in self.jobs if job.run]

    @property
    def leading(self) -> list[str]:
        """The two observables of every run that say most, each once."""
        return list(dict.fromkeys(name for run in self.finished for name in run.drawn[:2]))

    @property
    def varied(self) -> dict[str, list[str]]:
        """The settings that vary, each with those that vary exactly along with it.

        A choice changes many settings at once; the name of the choice stands for all of them.
        """
        known = [job.settings for job in self.jobs if job.settings]
        keys = dict.fromkeys(key for settings in known for key in settings)
        groups: dict[tuple[int, ...], list[str]] = {}
        for key in sorted(keys, key=lambda key: not key.endswith(".name")):
            values = [value_text(key, settings.get(key)) for settings in known]
            order = list(dict.fromkeys(values))
            own = {value_text(key, settings[key]) for settings in known if key in settings}
            if len(own) > 1 and key not in UNPHYSICAL:  # of the runs that use it
                groups.setdefault(tuple(map(order.index, values)), []).append(key)
        varied = {group[0]: group[1:] for group in groups.values()}
        return {key: varied[key] for key in keys if key in varied}


def key_text(key: str) -> str:
    """How the page calls a setting."""
    return KEYS.get(key, key)


def value_text(key: str, value: Any) -> str:
    """The value of a setting, as the page shows it."""
    match value:
        case None:
            return MISSING
        case bool():
            return str(value).lower()
        case float():
            return f"{value:.12g}"
        case list() if key == "theory.lattice":
            return format_lattice(value)
        case list():
            return f"[{', '.join(value_text('', entry) for entry in value)}]"
        case str() if key in ("sampler.name", "flow.name"):
            return heading(label(key.partition(".")[0], value))
    text = str(value)
    return text if len(text) <= LONGEST else f"…{text[1 - LONGEST :]}"


def setting_text(key: str, settings: Mapping[str, Any]) -> str:
    """One setting of a run in a sentence: β = 2, or a name by itself."""
    value = value_text(key, settings.get(key))
    equals = "\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}"
    return value if key in KEYS and key.endswith(".name") else f"{key_text(key)}{equals}{value}"


def is_run(directory: pathlib.Path) -> bool:
    """Whether a run was started here."""
    return any((directory / name).is_file() for name in ("config.yaml", "summary.json"))


def jobs_in(directory: pathlib.Path, depth: int = DEPTH) -> Iterator[pathlib.Path]:
    """The directories of runs, in the order of their numbers; empty ones are of failed starts."""
    children = [child for child in directory.iterdir() if child.is_dir()]
    for child in sorted(children, key=lambda child: by_number(child.name)):
        if child.name == "figures" or child.name.startswith("."):
            continue
        if is_run(child) or (child.name.isdigit() and not any(child.iterdir())):
            yield child
        elif depth > 1:
            yield from jobs_in(child, depth - 1)


def by_number(name: str) -> list[tuple[bool, int, str]]:
    """Sorts 2 before 10, also within names."""
    parts = re.findall(r"\d+|\D+", name)
    return [(not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts]


def read_scan(directory: pathlib.Path) -> Scan:
    """Read what the runs in a directory left, those that did not end too.

    Raises:
        FileNotFoundError: no run was started here.
    """
    if not directory.is_dir():
        raise FileNotFoundError(f"{directory}: no such file or directory")
    found = list(jobs_in(directory))
    if not any(map(is_run, found)):
        raise FileNotFoundError(f"{directory}: no summary.json and no runs in directories below")
    sweep = read_yaml(directory / "multirun.yaml")
    overrides = list(map(str, sweep.get("hydra.overrides.task") or []))
    words = planned(sweep, overrides)
    read = [read_job(directory, path) for path in found]
    started = {job.name for job in read}
    never = [Job(name, {}, None, NEVER_STARTED) for name in words if name not in started]
    every = [replace(job, words=words.get(job.name, "")) for job in (*read, *never)]
    return Scan(directory, sorted(every, key=lambda job: by_number(job.name)), overrides)


def planned(sweep: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, str]:
    """The directories of all jobs of a sweep, and what each varies; {} where that is not known."""
    if sweep.get("hydra.sweep.subdir") != "${hydra.job.num}":
        return {}
    start = "hydra.sweeper.params."
    params = [f"{key[len(start) :]}={v}" for key, v in sweep.items() if key.startswith(start) and v]
    try:
        return {str(n): text for n, text in enumerate(differing(jobs([*params, *overrides])))}
    except HydraException:
        return {}


def read_job(directory: pathlib.Path, path: pathlib.Path) -> Job:
    """Read what one run left."""
    settings, run, problem = read_yaml(path / "config.yaml"), None, ""
    try:
        run = beside_hmc(read_summary(path))
        settings = settings or flat(run.part("sampler").get("parameters") or {})
    except FileNotFoundError:
        problem = "unfinished: there is no summary.json" if is_run(path) else NEVER_STARTED
    except ValueError as error:
        problem = str(error).removeprefix(f"{path}/")
    if not run and not settings and is_run(path):
        problem += "; config.yaml is not readable"
    return Job(path.relative_to(directory).as_posix(), settings, run, problem)


def beside_hmc(run: Run) -> Run:
    """A run without what was compared with another baseline: a scan compares with tuned HMC."""
    if run.part("hmc"):
        return run
    return replace(run, summary={**run.summary, "comparison": None, "baselines": {}})


def read_yaml(path: pathlib.Path) -> dict[str, Any]:
    """The values of a configuration by their full keys; empty where it cannot be read."""
    try:
        return flat(OmegaConf.to_container(OmegaConf.load(path)))
    except (OmegaConfBaseException, YAMLError, OSError, ValueError):
        return {}


def flat(tree: Any, prefix: str = "") -> dict[str, Any]:
    """The leaves of nested dictionaries by their full keys."""
    if not isinstance(tree, Mapping):
        return {}
    leaves: dict[str, Any] = {}
    for name, value in tree.items():
        nested = isinstance(value, Mapping) and value
        leaves |= flat(value, f"{prefix}{name}.") if nested else {f"{prefix}{name}": value}
    return leaves
