"""What software made a run, and with what other software it went on."""

import json
import platform
import re
import subprocess
from datetime import datetime
from importlib.metadata import version
from itertools import takewhile
from pathlib import Path
from typing import Any

import jax

import gaugemc

PACKAGES = ("jax", "jaxlib", "equinox", "optax", "numpy", "pyerrors", "h5py")


def software() -> dict[str, Any]:
    """Versions, commit and machine: what a number needs beside it."""
    return {
        "gaugemc": gaugemc.__version__,
        "git_commit": git_commit(),
        "python": platform.python_version(),
        **{package: version(package) for package in PACKAGES},
        "machine": f"{platform.machine()}, {jax.devices()[0].device_kind}",
        "date": datetime.now().isoformat(timespec="seconds"),
    }


def git_commit() -> str | None:
    """The commit of this code, "-dirty" with changes; None where it is not in a repository."""

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout.strip()

    try:  # a package that is installed inside somebody's repository is not of that repository
        ours = git("ls-files", Path(__file__).name)
        return (ours and git("describe", "--always", "--dirty")) or None
    except OSError:  # no git here
        return None


def comments() -> str:
    """The software as comments for the top of config.yaml."""
    return "".join(f"# {name}: {value}\n" for name, value in software().items())


def split(config: str) -> tuple[str, str]:
    """The comments at the top of a config.yaml, and the settings below them."""
    lines = config.splitlines(keepends=True)
    top = "".join(takewhile(lambda line: line.startswith("#"), lines))
    return top, config[len(top) :]


def resumed_with(config: str) -> list[dict[str, str]]:
    """For each resumption with other software than before: its date, and what was another."""
    found = re.findall(r"^# resumed_with: (.*)$", split(config)[0], re.MULTILINE)
    return [json.loads(entry) for entry in found]


def with_changes(config: str) -> tuple[str, str | None]:
    """A config.yaml with the changes of software since it was written, and the changes in words."""
    top, settings = split(config)
    before = dict(re.findall(r"^# (\w+): (.*)$", top, re.MULTILINE))
    for entry in resumed_with(config):
        before |= entry
    now = {name: str(value) for name, value in software().items()}
    other = {k: v for k, v in now.items() if before.get(k, v) != v and k != "date"}
    if not other:
        return config, None
    entry = json.dumps({**other, "date": now["date"]})
    words = ", ".join(f"{name} {before[name]} -> {value}" for name, value in other.items())
    return f"{top}# resumed_with: {entry}\n{settings}", words
