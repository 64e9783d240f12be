"""Polaris of ALCF: PBS, four GPUs and 32 cores a node."""

from dataclasses import replace

from gaugemc.choices.systems import pbs

SYSTEM = replace(
    pbs.SYSTEM,
    word="polaris",
    title="Polaris of ALCF",
    directives=f"{pbs.DIRECTIVES}#PBS -l select={{nodes}}:system=polaris\n"
    "#PBS -l place=scatter\n#PBS -l filesystems=home:eagle\n",
    launch="mpiexec -n {nodes} --ppn 1 --depth=32 --cpu-bind depth ",
    defaults={"queue": "debug", "gpus": 4},
    needs=("account",),
)
