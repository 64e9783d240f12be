"""The report of a scan: one page with all runs of a multirun, as a table and as curves."""

from __future__ import annotations

import html
import math
import pathlib
import shlex

from gaugemc.report.names import called
from gaugemc.report.panels import section
from gaugemc.report.report import write_page, write_report
from gaugemc.report.scan import Job, Scan, key_text, read_scan, setting_text
from gaugemc.report.scan_curves import curves
from gaugemc.report.scan_members import is_judged, place_keys, samplers_differ
from gaugemc.report.scan_samplers import samplers
from gaugemc.report.scan_table import overview
from gaugemc.report.scan_verdict import headline
from gaugemc.report.sections import folded
from gaugemc.statistics.notation import format_bound, format_lattice, number


def write_scan_report(directory: pathlib.Path) -> pathlib.Path:
    """Draw `figures/*.svg` and write `report.html` of a multirun; returns the path of the page.

    The page is self-contained but for its links to the reports of the runs. Those that are missing
    are written first, where a run has results.

    Raises:
        FileNotFoundError: no run was started in the directory.
    """
    scan = read_scan(directory)
    for job in scan.jobs:
        if job.run and not (job.run.directory / "report.html").is_file():
            try:
                write_report(job.run.directory)
            except (ValueError, OSError):
                continue  # its row has no link
    parts = [opening(scan), samplers(scan), overview(scan), curves(scan), configuration(scan)]
    content = "\n".join(part for part in parts if part)
    return write_page(directory / "report.html", title_of(scan), content)


def title_of(scan: Scan) -> str:
    """What was scanned, in one line."""
    labels = [" against ".join(run.labels) for run in scan.finished]
    label = labels[0] if len(set(labels)) == 1 else "Samplers"
    theories = [run.part("theory") for run in scan.finished]
    names = {str(theory.get("title") or theory.get("name") or "theory") for theory in theories}
    lattices = {format_lattice(theory.get("lattice") or []) for theory in theories} - {""}
    betas = {
        number(theory.get("beta")) for theory in theories if theory.get("group", "") is not None
    }
    words = [
        *(names if len(names) == 1 else []),
        *([f"on {next(iter(lattices))}"] if len(lattices) == 1 else []),
        *([f"at β = {next(iter(betas)):g}"] if len(betas) == 1 else []),
    ]
    keys = question_keys(scan)
    scan_of = f"scan of {keys}" if keys else "repeated runs"
    return f"{label}: {', '.join(part for part in (' '.join(words), scan_of) if part)}"


def question_keys(scan: Scan) -> str:
    """What varies, in words; the sampler stands for all settings of samplers."""
    keys = list(scan.varied)
    if samplers_differ(scan):
        keys = [*place_keys(scan), "sampler.name"]
    return " and ".join(map(key_text, keys))


def opening(scan: Scan) -> str:
    """Title, question, and what the runs say together."""
    count, finished = len(scan.jobs), len(scan.finished)
    ended = f"{count} runs" if count > 1 else "1 run"
    ended += "" if finished == count else f", {finished} of them with results"
    dates = [str(run.part("software").get("date") or "") for run in scan.finished]
    setting = " · ".join(part for part in (ended, max(dates, default="").replace("T", " ")) if part)
    keys = question_keys(scan)
    question = "How do acceptance and the cost of an independent sample "
    question += f"depend on {keys}?" if keys else "differ between runs of the same settings?"
    state, badge, said = outcome(scan)
    return (
        f"<header>\n<h1>{html.escape(title_of(scan))}</h1>\n"
        f'<p class="setting">{html.escape(setting)}</p>\n'
        f'<p class="question">{html.escape(question)}</p>\n'
        f'<div class="verdict {state}"><span class="badge {state}">{badge}</span>'
        f"<p>{html.escape(said)}</p></div>\n</header>"
    )


def outcome(scan: Scan) -> tuple[str, str, str]:
    """State, badge and sentence on all checks of all runs, and the range of the gain."""
    total = sum(job.outcomes.total() for job in scan.jobs)
    failed = [job for job in scan.jobs if job.outcomes["failed"]]
    passed = sum(job.outcomes["passed"] for job in scan.jobs)
    without = len(scan.jobs) - len(scan.finished)
    if failed:
        bad = sum(job.outcomes["failed"] for job in failed)
        runs = ", ".join(job.name for job in failed)
        state, badge = "failed", f"✗ {bad} of {total} checks failed"
        said = f"Exactness checks failed in {'run' if len(failed) == 1 else 'runs'} {runs}."
    elif passed < total or without or not total:
        state, badge = "undecided", f"{passed} of {total} checks passed"
        said = f"No exactness check failed, {total - passed} undecided." if passed < total else ""
    else:
        state, badge = "passed", f"✓ {total} of {total} checks passed"
        said = "All exactness checks of all runs passed."
    if without:
        done = f"{len(scan.finished)} of {len(scan.jobs)} jobs"
        missing = "; ".join(job.words or job.name for job in scan.jobs if not job.run)
        said += f" {done} are done; missing: {missing}."
    return state, badge, f"{said} {gain(scan)}".strip()


def gain(scan: Scan) -> str:
    """Independent samples per second over those of tuned HMC: who wins, or from where to where."""
    if is_judged(scan):
        return headline(scan)
    compared = [(job, job.run) for job in scan.jobs if job.run and job.run.part("comparison")]
    names = {next(n for n in run.leading if n in run.part("comparison")) for _, run in compared}
    if len(names) != 1:
        return ""
    name = names.pop()
    found = []
    for job, run in compared:
        entry = run.part("comparison").get(name) or {}
        value, low = number(entry.get("ess_per_second_ratio")), bool(entry.get("lower_bound"))
        if math.isfinite(value) and not entry.get("upper_bound"):
            text = format_bound(value, number(entry.get("error")), lower=low)
            found.append((value, f"{text} ({place(scan, job)})"))
    if not found:
        return ""
    ends = " to ".join(dict.fromkeys(text for _, text in (min(found), max(found))))
    what = {"charge": "topological charges"}.get(name, f"{called(name)} values")
    labels = {run.labels[0] for _, run in compared}
    label = labels.pop() if len(labels) == 1 else "The sampler"
    return f"{label} makes {ends} times as many independent {what} per second as tuned HMC."


def place(scan: Scan, job: Job) -> str:
    """Where in the scan a run is: β = 2, FT-HMC."""
    said = [setting_text(key, job.settings) for key in scan.varied]
    return ", ".join(said) or f"run {job.name}"


def configuration(scan: Scan) -> str:
    """What the command line said, and the versions that ran it."""
    command = " ".join(["gaugemc --multirun", *map(shlex.quote, scan.overrides)])
    parts = [folded("Command", command)] if scan.overrides else []
    software = scan.finished[-1].part("software") if scan.finished else {}
    said = [f"{name.replace('_', ' ')} {value}" for name, value in software.items() if value]
    parts += [f"<footer>{html.escape(' · '.join(said))}</footer>"] if said else []
    return section("Configuration", "", "\n".join(parts))
