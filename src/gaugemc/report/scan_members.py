"""Which runs of a scan are one sampler: those that differ in their seed alone."""

from __future__ import annotations

import html
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gaugemc.choices.menu import label
from gaugemc.report import seeds
from gaugemc.report.record import Run
from gaugemc.report.scan import Job, Scan, setting_text, value_text
from gaugemc.report.seeds import Found
from gaugemc.statistics.notation import number

OF_SAMPLERS = ("sampler", "flow", "network", "dynamics", "loss", "training")
"""Groups of settings that say what samples; all others say what is sampled."""


@dataclass(frozen=True)
class Member:
    """A sampler at one place: runs that differ in their seed alone."""

    name: str
    runs: Sequence[Run]
    text: str
    """What it is, in full."""

    @property
    def label(self) -> str:
        """Its name, and the number of seeds where there are several."""
        return self.name + self._seeds

    @property
    def cell(self) -> str:
        """What it is, in a table."""
        return f'<span class="sampler">{html.escape(self.text + self._seeds)}</span>'

    @property
    def _seeds(self) -> str:
        return f", {len(self.runs)} seeds" if len(self.runs) > 1 else ""

    def baselines(self, name: str) -> list[str]:
        """The phase that an observable is compared with, in each run."""
        return [run.compared_with(name) for run in self.runs]

    def compared(self, name: str) -> Found:
        """The comparison of an observable with tuned HMC."""
        return seeds.comparison([run.part("comparison").get(name) or {} for run in self.runs])

    def observed(self, name: str) -> list[Found]:
        """What each run measured of an observable."""
        return [observed(run.part("evaluate"), name) for run in self.runs]

    def of_hmc(self, name: str) -> list[Found]:
        """What the HMC of each run measured that the observable is compared with."""
        phases = zip(self.runs, self.baselines(name))
        return [observed(run.phases.get(phase) or {}, name) for run, phase in phases]

    def cost(self, phase: str) -> Found:
        """What a draw of a phase costs, in the runs that have the phase."""
        return seeds.cost([run.phases[phase] for run in self.runs if run.phases.get(phase)])

    @property
    def training(self) -> float:
        """Seconds, on average; NaN where nothing was trained."""
        return statistics.fmean(number(run.part("training").get("seconds")) for run in self.runs)


def samplers_differ(scan: Scan) -> bool:
    """Whether the scan compares samplers, and not one sampler with itself elsewhere."""
    return len({sampler_text(job) for job in scan.jobs if job.run}) > 1


def is_judged(scan: Scan) -> bool:
    """Whether runs of a scan are judged together: samplers side by side, or seeds as one."""
    return samplers_differ(scan) or bool(seed_key(scan))


def sampler_text(job: Job) -> str:
    """The sampler of a run, with its flow, its networks and its trajectories, where told, and
    whether it was trained before the run or not at all. A member of a study has its name first."""
    assert job.run is not None
    get = job.settings.get
    words = [label("flow", str(get("flow.name")))] if get("flow.name") else []
    network = get("dynamics.network", "force")
    if get("theory.lattice") and network != "force":
        words += ["series of plaquettes" if network == "series" else f"{network} networks"]
    if get("sampler.tune") is False:
        length, steps = get("sampler.trajectory_length"), get("sampler.n_steps")
        words += [f"length {value_text('', length)} in {steps} step{'s' if steps != 1 else ''}"]
    loaded = get("flow.load") or get("dynamics.load")
    if get("training.steps") == 0:
        words += ["trained before" if loaded else "not trained"]
    text = job.run.labels[0] + (f" ({', '.join(words)})" if words else "")
    return f"{job.member}: {text}" if job.member else text


def sampler_name(job: Job) -> str:
    """The name of a member of a study, or what the sampler is."""
    return job.member or sampler_text(job)


def place_keys(scan: Scan) -> list[str]:
    """The settings that vary, but for those of the samplers."""
    return [key for key in scan.varied if key.partition(".")[0] not in OF_SAMPLERS]


def places(scan: Scan) -> dict[str, list[Member]]:
    """The samplers with finished runs, by what they sample."""
    keys = [key for key in place_keys(scan) if key != seed_key(scan)]
    apart = [key for key in scan.varied if key != seed_key(scan)]
    found: dict[str, dict[tuple[str, ...], list[Job]]] = {}
    for job in scan.jobs:
        if job.run:
            where = ", ".join(setting_text(key, job.settings) for key in keys)
            same = tuple(value_text(key, job.settings.get(key)) for key in apart)
            found.setdefault(where, {}).setdefault((sampler_text(job), *same), []).append(job)
    return {
        where: [
            Member(sampler_name(jobs[0]), [job.run for job in jobs if job.run], text)
            for (text, *_), jobs in members.items()
        ]
        for where, members in found.items()
    }


def seed_key(scan: Scan) -> str:
    """The key of the seed, where nothing else varies along with it; else nothing."""
    return "seed" if scan.varied.get("seed") == [] else ""


def observables(members: Sequence[Member]) -> list[str]:
    """The numbers that all runs measured, the slowest first; t^2 E is E again."""
    runs = [run for member in members for run in member.runs]
    names = [name for name in runs[0].numbers if name != "flowed_t2_energy"]
    return [name for name in names if all(name in run.numbers for run in runs)]


def observed(part: Mapping[str, Any], name: str) -> Found:
    """What was measured of an observable."""
    return (part.get("observables") or {}).get(name) or {}
