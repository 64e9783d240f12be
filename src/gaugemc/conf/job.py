"""A batch job: the directories of its runs, which hold their settings, and the script."""

import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from gaugemc.choices.option import SettingsError
from gaugemc.choices.settings import Settings
from gaugemc.choices.systems import LEAD
from gaugemc.choices.uses import said_unused
from gaugemc.conf.composition import configuration, settings_of
from gaugemc.conf.ending import fail
from gaugemc.conf.errors import BAD_INPUT
from gaugemc.conf.groups import RUN_DIR, SWEEP_DIR
from gaugemc.conf.layout import Layout, among, layout_of, refuse_parts
from gaugemc.conf.preparation import check, judged, place, refuse_directory, rooted
from gaugemc.conf.submission import Submission, clock
from gaugemc.io.atomic import write_atomically
from gaugemc.run.run_directory import RunDirectory
from gaugemc.run.sharing import SCAN


def submit(asked: Submission) -> int:
    """Write the script and the directories of its runs, and submit it if asked to: the exit code.

    Nothing is written before all settings are found to be good.
    """
    system = asked.system
    found = shutil.which(system.submit)
    if asked.run and found is None:
        problem = f"submit: {system.submit}: not found: call it where jobs are submitted"
        fail(f"{problem}, or leave out --run", BAD_INPUT)
    every, layout, config = checked(asked)
    if line := said_unused(every[0], asked.overrides):
        print(f"gaugemc: {line}", file=sys.stderr)
    directory = directory_of(asked, config)
    runs = [directory / str(number) for number in range(len(every))] if asked.sweep else [directory]
    for settings, path in zip(every, runs):
        run = RunDirectory(path)
        with run.owned():
            run.create(settings)
    if asked.sweep:
        write(directory / SCAN, scan(asked))
    script = directory / "job.sh"
    words = [system.submit, str(script)]
    if len(runs) > 1 and system.array:
        words[1:1] = system.array.format(last=len(runs) - 1).split()
    write(script, system.script(values(asked, every[0].name, layout, directory, runs, words)))
    script.chmod(0o755)
    print(script)
    if asked.sweep:
        report = shlex.join(["gaugemc", "report", str(directory)])
        print(f"at the end, a page of all runs: {report}", file=sys.stderr)
    if asked.run:
        return subprocess.run([found or "", *words[1:]], check=False).returncode
    print(f"to submit it: {shlex.join(words)}", file=sys.stderr)
    return 0


def checked(asked: Submission) -> tuple[list[Settings], Layout, Any]:
    """The settings of all jobs, after all checks, their processes, and the last one's Hydra."""
    every, layouts, config = [], [], None
    for number, overrides in enumerate(asked.jobs):
        with judged(asked.jobs, number):
            config = configuration([*overrides, *asked.place])
            HydraConfig.instance().set_config(config)
            settings = rooted(settings_of(config))
            layout = layout_of(asked.options, asked.system, settings)
            with among(layout):
                check(settings)
            refuse_parts(layout, settings)
            if layouts and layout not in layouts:
                problem = "the jobs of an array are started alike: give all the same backend"
                raise SettingsError("backend", settings.backend, problem)
            every.append(settings)
            layouts.append(layout)
    return every, layouts[0], config


def directory_of(asked: Submission, config: Any) -> Path:
    """Where the run or the sweep goes."""
    kind, default = ("sweep", SWEEP_DIR) if asked.sweep else ("run", RUN_DIR)
    refuse_directory(kind, config.hydra[kind].dir)
    place(config.hydra[kind], "dir", default)
    return Path(config.hydra[kind].dir).absolute()


def values(
    asked: Submission,
    name: str,
    layout: Layout,
    directory: Path,
    runs: Sequence[Path],
    words: Sequence[str],
) -> Mapping[str, Any]:
    """What stands in the texts of a system; None leaves out the line."""
    options, system = asked.options, asked.system
    array = len(runs) > 1
    run, start = shlex.quote(str(directory)), layout.command(system, asked.devices)
    return {
        **options,
        **layout.numbers,
        "name": name,
        "time": clock(options["time"]),
        "seconds": options["time"] - LEAD,
        "no_gpus": None if options["gpus"] else "",
        "about": f"# gaugemc wrote this. Edit it as you like; to submit it: {shlex.join(words)}",
        "here": shlex.quote(str(Path.cwd())),
        "directory": run,
        "log": shlex.quote(f"{directory}/".replace("%", "%%") + "job-%j.txt"),
        "script": shlex.quote(words[-1]),
        "run": f"{run}/{system.index}" if array else shlex.quote(str(runs[0])),
        "runs": shlex.join(map(str, runs)),
        "last": len(runs) - 1 if array else None,
        "of_array": "" if array else None,
        "again": system.again[array],
        "start": start,
        "single": start if layout.tasks == 1 else None,
        "shared": start if layout.tasks > 1 else None,
    }


def scan(asked: Submission) -> str:
    """What the page of all runs reads about a sweep, as Hydra writes it."""
    tree = {
        "sweep": {"subdir": "${hydra.job.num}"},
        "sweeper": {"params": dict(asked.params)},
        "overrides": {"task": list(asked.overrides)},
    }
    return OmegaConf.to_yaml(OmegaConf.create({"hydra": tree}))


def write(path: Path, text: str) -> None:
    """Write a text file, atomically."""
    with write_atomically(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
