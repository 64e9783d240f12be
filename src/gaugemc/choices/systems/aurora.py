"""Aurora of ALCF: PBS, twelve tiles of GPUs a node."""

from dataclasses import replace

from gaugemc.choices.systems import pbs

CPUS = [f"{first}-{first + 7}" for first in (*range(1, 49, 8), *range(53, 101, 8))]
"""Of each tile; the first CPU of each socket is left to the system."""

SYSTEM = replace(
    pbs.SYSTEM,
    word="aurora",
    title="Aurora of ALCF",
    directives=f"{pbs.DIRECTIVES}#PBS -l select={{nodes}}\n"
    "#PBS -l place=scatter\n#PBS -l filesystems=home:flare\n",
    launch="mpiexec -n {all_tasks} --ppn {tasks} ",
    bound=f"--cpu-bind=list:{':'.join(CPUS)} ",
    defaults={"queue": "debug", "gpus": 12},
    needs=("account",),
)
