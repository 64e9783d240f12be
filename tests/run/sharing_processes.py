"""What each process does in test_processes.py: PROCESS PORT FOLDER.

Begins a run, goes on with another, and begins one that has no end.
"""

import sys
from pathlib import Path

from composed import composed

from gaugemc.choices.devices import Place
from gaugemc.choices.settings import Settings
from gaugemc.run.experiment import run
from gaugemc.run.follower import follow
from gaugemc.run.processes import heard, join, leaving
from gaugemc.training.engine import JAX

ENDLESS = 10**5
"""Chunks of a run that is killed in one of them."""


def settings(draws: int, chunks: int = 2) -> Settings:
    """Of a small run."""
    return composed(
        "mode=debug",
        "theory=ring",
        "sampler=hmc",
        "chains=4",
        "progress=false",
        "evaluate.configurations=true",
        "evaluate.warmup=4",
        f"evaluate.draws={draws}",
        f"evaluate.chunks={chunks}",
    )


if __name__ == "__main__":
    process, folder = int(sys.argv[1]), Path(sys.argv[3])
    join(Place(process, 2, f"127.0.0.1:{sys.argv[2]}"))
    with leaving():
        for name, asked in (
            ("two", settings(8)),
            ("one", settings(12)),
            ("endless", settings(10 * ENDLESS, ENDLESS)),
        ):
            try:
                with heard():
                    if process == 0:
                        run(asked, folder / name, extend=True)
                    else:
                        follow(asked, JAX)
            except ConnectionError as error:
                print(f"gaugemc: {error}", file=sys.stderr)
                sys.exit(1)
