"""A process of a version of gaugemc, for test_processes.py: PROCESS PORT VERSION."""

import sys

import gaugemc
from gaugemc.choices.devices import Place
from gaugemc.conf.ending import guarded
from gaugemc.run.processes import join, leaving

if __name__ == "__main__":
    process, port, gaugemc.__version__ = sys.argv[1:]

    def meet() -> int:
        join(Place(int(process), 2, f"127.0.0.1:{port}"))
        return 0

    with leaving():
        sys.exit(guarded(meet))
