"""Aurora of ALCF: PBS, twelve tiles of GPUs a node."""

from dataclasses import replace

from gaugemc.choices.systems import pbs

SYSTEM = replace(
    pbs.SYSTEM,
    word="aurora",
    title="Aurora of ALCF",
    directives=f"{pbs.DIRECTIVES}#PBS -l select={{nodes}}\n"
    "#PBS -l place=scatter\n#PBS -l filesystems=home:flare\n",
    launch="mpiexec -n {nodes} --ppn 1 ",
    defaults={"queue": "debug", "gpus": 12},
    needs=("account",),
)
