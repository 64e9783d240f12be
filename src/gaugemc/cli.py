"""The command line: `gaugemc [KEY=VALUE ...]`, `gaugemc resume DIR`, `gaugemc report DIR`,
`gaugemc convert IN OUT`, `gaugemc measure FILE [FILE...]`, `gaugemc submit --system=NAME ...`."""

import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import hydra
import jax
import numpy as np
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from gaugemc import interrupt
from gaugemc.chains.progress import progress_bar
from gaugemc.checks import tally
from gaugemc.choices.devices import place_of
from gaugemc.choices.frameworks import BACKENDS, rank, refuse_framework
from gaugemc.choices.settings import Settings
from gaugemc.choices.uses import said_unused
from gaugemc.choices.validation import validate
from gaugemc.conf import register
from gaugemc.conf.composition import CONFIGURATIONS, composed, settings_of
from gaugemc.conf.conversion import conversion
from gaugemc.conf.ending import fail, go_on_with, guarded
from gaugemc.conf.errors import BAD_INPUT, FAILED, INEXACT, of_file
from gaugemc.conf.help import USAGE
from gaugemc.conf.job import submit
from gaugemc.conf.measurement import measurement
from gaugemc.conf.preparation import rooted
from gaugemc.conf.submission import submission
from gaugemc.interop import engine_of, work
from gaugemc.io import read_configuration, write_configuration
from gaugemc.io.atomic import write_atomically
from gaugemc.kernels.cache import cache_directory
from gaugemc.report.flow_figure import flow_figure
from gaugemc.report.measured_tables import measured_tables
from gaugemc.report.names import by_array
from gaugemc.report.remarks import remarks
from gaugemc.report.report import write_report
from gaugemc.report.scan import is_run, jobs_in
from gaugemc.report.scan_report import write_scan_report
from gaugemc.report.svg import svg_of
from gaugemc.run.alike import told
from gaugemc.run.experiment import run
from gaugemc.run.measure_files import measure_files
from gaugemc.run.meeting import meet
from gaugemc.run.processes import heard, join, leaving
from gaugemc.run.run_directory import RunDirectory
from gaugemc.run.summary import to_json
from gaugemc.statistics.notation import format_bound, format_error, printable
from gaugemc.theories import flow_times


def main() -> NoReturn:
    """The program `gaugemc`; exits with 0, or one of the codes above."""
    arguments = sys.argv[1:]
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")  # paths may have any sign
    verb = arguments[0] if arguments else ""
    if (verb == "resume" and len(arguments) < 2) or (verb == "report" and len(arguments) != 2):
        fail(f"{verb} needs one run directory\n{USAGE}", BAD_INPUT)
    interrupt.advise("interrupted")
    prepare_jax()
    verbs = {
        "resume": lambda: resume(Path(arguments[1]), arguments[2:]),
        "convert": lambda: convert(arguments[1:]),
        "measure": lambda: measure(arguments[1:]),
        "submit": lambda: submit(submission(arguments[1:])),
        "report": lambda: report(Path(arguments[1])),
    }
    with leaving():
        if verb == "resume" or verb not in verbs:
            guarded(lambda: share(verb, arguments[verb == "resume" :]))
        sys.exit(guarded(verbs.get(verb, configured)))


def share(verb: str, words: Sequence[str]) -> int:
    """Take the devices, and join the processes, that share a run; without words, one."""
    given = [word for word in words if word.startswith("devices.")]
    if given:
        devices = composed(given).devices
        place = place_of(devices)
        if (devices.count or 1) > 1:
            jax.config.update("jax_num_cpu_devices", devices.count)
        if place.processes > 1:
            settings = (
                RunDirectory(words[0]).resumed(words[1:])
                if verb == "resume"
                else composed([*words])
            )
            (meet if BACKENDS[settings.backend].meets else join)(place, told(settings))
    return 0


def prepare_jax() -> None:
    """float64 sums, and compiled programs kept on disk for the next start."""
    jax.config.update("jax_enable_x64", True)
    if jax.config.values["jax_compilation_cache_dir"] is None:
        cache = cache_directory()
        jax.config.update("jax_compilation_cache_dir", cache and str(cache))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def configured() -> int:
    """The Hydra application: one run, or with --multirun several."""
    if rank() > 0:  # has no directory, which Hydra would make
        return work(rooted(composed(sys.argv[1:])))
    os.environ["HYDRA_FULL_ERROR"] = "1"  # exceptions reach `guarded`
    register()
    codes: list[int] = []

    def one_run(config: Any) -> int:
        settings, path = (
            rooted(settings_of(config)),
            Path(HydraConfig.get().runtime.output_dir),
        )
        validate(settings)
        print(f"run directory: {path}", file=sys.stderr)
        say_unused(settings, path)
        return run_and_show(settings, path, again=sweep_again())

    def job(config: Any) -> None:
        prepare_jax()  # a launcher may start it in another process
        try:
            codes.append(guarded(lambda: one_run(config)))
        except SystemExit as end:  # Hydra would add lines of its own
            codes.append(int(end.code or 0))
            if codes[-1] not in range(129):  # an interruption, or a launcher queues the job again
                raise

    hydra.main(version_base="1.3", config_path=CONFIGURATIONS, config_name="command")(job)()
    return max(codes or elsewhere(), default=0)


def elsewhere() -> list[int]:
    """The exit codes of jobs that a launcher of Hydra's ran in other processes, as far as known."""
    if not HydraConfig.initialized() or HydraConfig.get().mode != RunMode.MULTIRUN:
        return []
    sweep = Path(HydraConfig.get().sweep.dir)
    paths = jobs_in(sweep) if sweep.is_dir() else []  # none, where settings are only shown
    return [0 if RunDirectory(path).summary.is_file() else FAILED for path in paths]


def say_unused(settings: Settings, path: Path) -> None:
    """A line, also for log.txt, about words of the command line that change nothing."""
    if line := said_unused(settings, HydraConfig.get().overrides.task):
        print(f"gaugemc: {line}", file=sys.stderr)
        RunDirectory(path).note(line)


def sweep_again() -> str:
    """How to go on with the jobs of an interrupted sweep; nothing for a single run."""
    config = HydraConfig.get()
    if config.mode != RunMode.MULTIRUN:
        return ""
    return f"; with the sweep: the same command and hydra.sweep.dir={config.sweep.dir}"


def resume(path: Path, overrides: Sequence[str]) -> int:
    """Go on with the run in a directory, maybe to more draws."""
    if not is_run(path) and path.is_dir() and (runs := list(filter(is_run, jobs_in(path)))):
        fail(
            f"{path} is a sweep of {len(runs)} runs: go on with the same command and"
            f" hydra.sweep.dir={path}, or with one of its runs: gaugemc resume {runs[0]}",
            BAD_INPUT,
        )
    settings = RunDirectory(path).resumed(overrides)
    refuse_framework(settings.framework, settings.backend)
    return work(settings) if rank() > 0 else run_and_show(settings, path, extend=True)


def report(path: Path) -> int:
    """Draw the report of a run, or of the runs in a directory, again."""
    if not any((path / name).is_file() for name in ("summary.json", "config.yaml")):
        print(write_scan_report(path))
        return 0
    if not RunDirectory(path).summary.is_file():
        fail(f"{path / 'summary.json'}: no such file, so there is no run to report on", BAD_INPUT)
    try:
        with RunDirectory(path).owned():
            page = write_report(path)
            lacking = remarks(path)
    except ValueError as error:
        fail(str(error), BAD_INPUT)
    for line in lacking:
        print(f"gaugemc: {line}", file=sys.stderr)
    print(page)
    return 0


def convert(words: list[str]) -> int:
    """Write a gauge configuration in another format."""
    asked = conversion(words)
    with interrupt.raised():
        found = read_configuration(asked.input, lattice=asked.lattice)
        done = write_configuration(asked.output, found.links, **asked.how)
    print(
        f"{asked.output}: {done.format}, {done.space.name}, {np.dtype(done.space.real)},"
        f" plaquette {done.plaquette:.12f}, link trace {done.link_trace:.12f},"
        f" checksum {done.checksum}"
    )
    return 0


def measure(words: list[str]) -> int:
    """Measure gauge configurations, and follow their gradient flow."""
    asked = measurement(words)
    total = len(asked.files) * len(flow_times(asked.how["flow_time"], asked.how["step"]))
    shown = progress_bar("measurements", total, sys.stderr.isatty())
    with interrupt.raised(), shown as report:
        numbers = measure_files(asked.files, report=report, **asked.how)
    written = {asked.out: to_json(numbers)}
    if "flow" in numbers:
        written[asked.out.with_suffix(".svg")] = svg_of(
            flow_figure(
                [file["flow"] for file in numbers["files"]],
                [numbers["flow"]],
                numbers["flow"]["kernel"],
            )
        )
    for path, text in written.items():
        with write_atomically(path) as temporary:
            temporary.write_text(text)
    for table in measured_tables(numbers):
        Console(soft_wrap=True).print(table)
    print(*written, sep="\n")
    return 0


def run_and_show(settings: Settings, path: Path, *, extend: bool = False, again: str = "") -> int:
    """Run, show the numbers, and return the exit code."""
    console = Console(stderr=True)
    advice = go_on_with(path) + again
    interrupt.advise(advice)
    try:
        with interrupt.raised(), heard():
            numbers = run(settings, path, console, extend=extend, engine=engine_of(settings))
        interrupt.advise(f"interrupted{again}")
    except OSError as error:  # a full disk, say
        fail(f"{of_file(error)}; {advice.removeprefix('interrupted; ')}", FAILED)
    show(numbers, console)
    print(path / "report.html")
    checks = numbers["checks"]
    found = tally(checks)
    if found.failed:
        console.print(
            Panel(f"exactness checks FAILED: {', '.join(found.failed)}", style="bold white on red")
        )
    if found.open:
        reasons = [f"{name}: {checks[name]['why']}" for name in found.open]
        console.print(Panel("\n".join(reasons), title="undecided", style="yellow", highlight=False))
    return 0 if found.proven or not settings.strict else INEXACT


def show(numbers: dict[str, Any], console: Console) -> None:
    """A table of the observables, and the verdict."""
    table = Table("observable", "sampler", "mean", "exact", "z", "tau_int (draws)")
    sections = {numbers["sampler"]["name"]: numbers["evaluate"], "tuned hmc": numbers["hmc"]}
    sections |= {
        f"tuned {name}" if name.startswith("hmc") else name: part
        for name, part in numbers["baselines"].items()
    }
    arrays = by_array(numbers["evaluate"]["observables"])
    for name in arrays.pop(""):
        for sampler, section in sections.items():
            if section is None:
                continue
            o = section["observables"][name]
            tau = format_bound(o["tau_int"], o["tau_int_error"], lower=o["lower_bound"])
            row = (
                name,
                sampler,
                format_error(o["mean"], o["error"]) + (" *" if o["lower_bound"] else ""),
                "" if o["exact"] is None else f"{o['exact']:.5f}",
                "" if o["z"] is None else f"{o['z']:+.1f}",
                tau.replace("≥", ">="),
            )
            table.add_row(*(as_text(cell, console) for cell in row))
    for name, entries in arrays.items():
        table.add_row(name, "all", f"{len(entries)} entries: see the report")
    if any("*" in str(cell) for cell in table.columns[2].cells):
        table.caption = "* the error is only a lower bound, and z too large"
    console.print(table)
    console.print(as_text(numbers["verdict"], console), style="bold")


def as_text(text: str, console: Console) -> Text:
    """A text as it stands, in the signs that the terminal has: brackets are no markup."""
    return Text(printable(text, console.encoding))
