"""The section of a scan's page that draws what was measured against the setting that varied."""

# ruff: noqa: RUF001 (typographic signs are meant)

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from matplotlib.figure import Figure

from gaugemc.report.names import called
from gaugemc.report.panels import panels, section
from gaugemc.report.record import Run
from gaugemc.report.scan import Scan, key_text, setting_text, value_text
from gaugemc.report.scan_figure import COLOURS, Abscissa, Curve, Point, scan_figure
from gaugemc.report.scan_members import place_keys, sampler_name, samplers_differ
from gaugemc.statistics.notation import number

Placed = list[tuple[float, Run]]
"""Runs that only differ in the abscissa, with their places on it."""


def curves(scan: Scan) -> str:
    """Autocorrelation times, gains over HMC and acceptance against the setting that varies most."""
    if len(scan.finished) < 2:
        return ""
    key = abscissa_key(scan)
    abscissa, places = placed(scan, key)
    groups = grouped(scan, key, places)
    drawn = list(all_figures(scan, abscissa, groups))
    text = "Open markers are bounds: the value lies where the arrow points, or anywhere if none."
    if len(groups) > 1 and any(run.part("hmc") for run in scan.finished):
        text += " Dashed, with squares: tuned HMC."
    return section("Curves", text, panels(scan.directory / "figures", drawn) if drawn else "")


def abscissa_key(scan: Scan) -> str:
    """The setting that curves are drawn against: numbers before names, then the one with most."""

    def rank(key: str) -> tuple[bool, bool, int]:
        values = [job.settings.get(key) for job in scan.jobs if job.run]
        numeric = key != "seed" and all(coordinate(key, value) is not None for value in values)
        return numeric, key == "sampler.name", len({value_text(key, value) for value in values})

    keys = place_keys(scan) or list(scan.varied) if samplers_differ(scan) else list(scan.varied)
    return max(keys, key=rank, default="")


def coordinate(key: str, value: Any) -> float | None:
    """A setting as a coordinate: numbers, and the extent of a lattice with equal sides."""
    if key == "theory.lattice" and isinstance(value, list) and len(set(value)) == 1:
        value = value[0]
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def placed(scan: Scan, key: str) -> tuple[Abscissa, list[float]]:
    """What the curves are drawn against, and where on it each finished run is."""
    jobs = [job for job in scan.jobs if job.run]
    if not key:
        return Abscissa("run", [job.name for job in jobs]), [float(i) for i in range(len(jobs))]
    values = [job.settings.get(key) for job in jobs]
    numbers = [coordinate(key, value) for value in values]
    dimensions = {len(value) if isinstance(value, list) else 0 for value in values}
    known = [x for x in numbers if x is not None]
    if key != "seed" and len(known) == len(numbers) and len(dimensions) == 1:
        lattice = "×".join("L" * dimensions.pop())
        return Abscissa(f"L of the lattice {lattice}" if lattice else key_text(key)), known
    texts = [value_text(key, value) for value in values]
    categories = list(dict.fromkeys(texts))
    return Abscissa(key_text(key), categories), [float(categories.index(text)) for text in texts]


def grouped(scan: Scan, key: str, places: Iterable[float]) -> dict[str, Placed]:
    """The finished runs by all that varies but the abscissa."""
    groups: dict[str, Placed] = {}
    named = samplers_differ(scan)
    varied = place_keys(scan) if named else scan.varied
    for job, place in zip((job for job in scan.jobs if job.run), places):
        used = [other for other in varied if other in job.settings and other != key]
        said = [sampler_name(job)] if named else []
        said += [setting_text(other, job.settings) for other in used]
        assert job.run is not None
        groups.setdefault(", ".join(said), []).append((place, job.run))
    return groups


def all_figures(
    scan: Scan, abscissa: Abscissa, groups: Mapping[str, Placed]
) -> Iterator[tuple[str, Figure, str]]:
    """Name, figure and description of everything that there is to draw."""
    for name in scan.leading[:2]:
        symbol = called(name)
        found = [
            *sampler_curves(groups, "evaluate", partial(tau, name)),
            *sampler_curves(groups, "hmc", partial(tau, name)),
        ]
        title = f"Autocorrelation time of {symbol}, in draws"
        yield from where_measured(f"tau-{name}", title, abscissa, found)
        found = sampler_curves(groups, "comparison", partial(gain, name))
        plural = {"plaquette": "plaquettes"}.get(name, symbol)
        title = f"Independent {plural} per second, over those of tuned HMC"
        yield from where_measured(f"ratio-{name}", title, abscissa, found, "ratio")
    found = [
        *sampler_curves(groups, "evaluate", acceptance),
        *sampler_curves(groups, "hmc", acceptance),
    ]
    yield from where_measured("acceptance", "Acceptance", abscissa, found, "fraction")


def where_measured(
    name: str, title: str, abscissa: Abscissa, found: list[Curve], kind: str = "positive"
) -> Iterator[tuple[str, Figure, str]]:
    """A figure, where there are points for one."""
    found = [curve for curve in found if curve.points]
    if found:
        figure = scan_figure(title, abscissa, found, kind)
        yield name, figure, f"{title} against {abscissa.label}"


Measured = tuple[float, float, bool, bool]
"""Value, error, lower bound, upper bound."""


def sampler_curves(
    groups: Mapping[str, Placed], part: str, measure: Callable[[Mapping[str, Any]], Measured]
) -> list[Curve]:
    """A curve for each group of what is measured in one part of the summaries."""
    found, baseline = [], part == "hmc"
    for index, (label, runs) in enumerate(groups.items()):
        measured = [(x, measure(run.part(part))) for x, run in runs if run.part(part)]
        points = [Point(x, *values) for x, values in measured if math.isfinite(values[0])]
        colour = COLOURS[index % len(COLOURS)]
        if len(groups) == 1:
            names = {run.labels[0] for _, run in runs}
            label = names.pop() if len(names) == 1 else "sampler"
        found.append(Curve("" if baseline else label, colour, baseline, points))
    if baseline and all(curve.points == found[0].points for curve in found):
        return [replace(found[0], label="HMC", colour="hmc")]
    return found


def tau(name: str, part: Mapping[str, Any]) -> Measured:
    """tau_int of an observable."""
    observed = (part.get("observables") or {}).get(name) or {}
    value, error = number(observed.get("tau_int")), number(observed.get("tau_int_error"))
    return value, error, bool(observed.get("lower_bound")), False


def gain(name: str, part: Mapping[str, Any]) -> Measured:
    """Independent samples of an observable per second, over those of tuned HMC."""
    compared = part.get(name) or {}
    value, error = number(compared.get("ess_per_second_ratio")), number(compared.get("error"))
    return value, error, bool(compared.get("lower_bound")), bool(compared.get("upper_bound"))


def acceptance(part: Mapping[str, Any]) -> Measured:
    """The acceptance, whose error nobody asks for."""
    return number(part.get("acceptance")), math.nan, False, False
