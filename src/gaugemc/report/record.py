"""What a run left in its directory, read back."""

from __future__ import annotations

import csv
import dataclasses
import html
import json
import math
import pathlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gaugemc.choices.menu import label
from gaugemc.observables import SLOW
from gaugemc.report.chains import Chains
from gaugemc.report.names import MULTIPLES, baseline_label, by_array
from gaugemc.statistics.notation import number

COLOURS = ("sampler", "hmc", "second")
"""Of the evaluated sampler and of the baselines, keys of `style.PALETTE`."""


@dataclass(frozen=True)
class Run:
    """What the files of a run directory say."""

    directory: pathlib.Path
    summary: Mapping[str, Any]
    metrics: Mapping[str, np.ndarray]
    chains: Sequence[Chains]
    config: str

    def part(self, name: str) -> Mapping[str, Any]:
        """One part of the summary, empty where it is null."""
        return self.summary.get(name) or {}

    @property
    def phases(self) -> dict[str, Mapping[str, Any]]:
        """What was measured, by the name of its file: the evaluated sampler, then the baselines."""
        hmc = {"hmc": self.part("hmc")} if self.part("hmc") else {}
        return {"evaluate": self.part("evaluate"), **hmc, **self.part("baselines")}

    def setting(self, key: str) -> Any:
        """A setting of the run by its full key; None where it was not used."""
        group, _, name = key.partition(".")
        return ((self.part("sampler").get("parameters") or {}).get(group) or {}).get(name)

    @property
    def figures(self) -> pathlib.Path:
        """Where the figures are saved."""
        return self.directory / "figures"

    @property
    def names(self) -> list[str]:
        """The samplers with results within a sentence: the evaluated one, then the baselines."""
        name = str(self.part("sampler").get("name", "sampler"))
        return [label("sampler", name), *map(baseline_label, list(self.phases)[1:])]

    @property
    def labels(self) -> list[str]:
        """The same as titles."""
        return [heading(text) for text in self.names]

    @property
    def leading(self) -> list[str]:
        """The observables that were measured, those that samplers are judged by first."""
        measured = list(self.part("evaluate").get("observables") or {})
        first = [*SLOW, *(self.part("theory").get("leading") or ["plaquette"])]
        return sorted(measured, key=lambda name: [*first, *measured].index(name))

    @property
    def numbers(self) -> list[str]:
        """Those of them that are no entries of arrays."""
        return by_array(self.leading)[""]

    @property
    def drawn(self) -> list[str]:
        """The observables whose histories are drawn, those that say most first."""
        slow = [name for name in self.numbers if name in SLOW]
        others = [name for name in self.numbers if name not in (*slow, *MULTIPLES)]
        return [*slow, *others[: 1 if slow else 2]]

    @property
    def results(self) -> list[Mapping[str, Any]]:
        """What was measured of each of the `labels`."""
        return list(self.phases.values())

    @property
    def headings(self) -> list[str]:
        """The labels as HTML, each in the colour that it has in the figures."""
        return coloured(self.labels)

    def compared_with(self, name: str) -> str:
        """The phase of the baseline that an observable is compared with; by default the first."""
        first, *others = [*list(self.phases)[1:], "hmc"]
        phase = (self.part("comparison").get(name) or {}).get("baseline")
        return phase if phase in others else first

    def baseline(self, name: str) -> str:
        """The label of the baseline that an observable is compared with."""
        return baseline_label(self.compared_with(name))

    @property
    def checks(self) -> dict[str, Mapping[str, Any]]:
        """The exactness checks that were made."""
        return {name: check for name, check in self.part("checks").items() if check}

    @property
    def exact(self) -> dict[str, float]:
        """The exact values that are known."""
        observables = self.part("evaluate").get("observables") or {}
        values = {name: number((entry or {}).get("exact")) for name, entry in observables.items()}
        return {name: value for name, value in values.items() if math.isfinite(value)}


def coloured(texts: Sequence[str]) -> list[str]:
    """Names of the samplers as HTML, each in the colour that it has in the figures."""
    return [f'<span class="{c}">{html.escape(text)}</span>' for text, c in zip(texts, COLOURS)]


def heading(text: str) -> str:
    """A label that begins a cell or a sentence."""
    return text[:1].upper() + text[1:]


def read_run(directory: pathlib.Path) -> Run:
    """Read the files of a run directory."""
    run = read_summary(directory)
    metrics = read_metrics(directory / "metrics.csv")
    files = [directory / "chains" / f"{name}.h5" for name in run.phases]
    chains = [
        Chains.read(file, label, colour)
        for file, label, colour in zip(files, run.labels, COLOURS)
        if file.is_file()
    ]
    return dataclasses.replace(run, metrics=metrics, chains=[c for c in chains if c.observables])


def read_summary(directory: pathlib.Path) -> Run:
    """Read the numbers and the configuration of a run, without its chains and its history."""
    path = directory / "summary.json"
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file, so there is no run to report on")
    try:
        summary = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: not a readable JSON file ({error})") from error
    if not isinstance(summary, dict) or not isinstance(summary.get("evaluate"), dict):
        raise ValueError(f"{path}: not the summary of a run: it has no results under 'evaluate'")
    config = directory / "config.yaml"
    text = config.read_text(encoding="utf-8") if config.is_file() else ""
    return Run(directory, summary, {}, [], text)


def read_metrics(path: pathlib.Path) -> dict[str, np.ndarray]:
    """The columns of the training history, NaN where a cell is empty; {} without a file."""
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    try:
        return {
            name: np.array([float(row[name] or "nan") for row in rows], np.float64)
            for name in (rows[0] if rows else {})
        }
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: not a readable training history ({error})") from error
