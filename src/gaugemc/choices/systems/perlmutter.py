"""Perlmutter of NERSC: SLURM, four GPUs and 128 CPUs a node, queues for qualities of service."""

from dataclasses import replace

from gaugemc.choices.systems import slurm

SYSTEM = replace(
    slurm.SYSTEM,
    word="perlmutter",
    title="Perlmutter of NERSC",
    directives=f"{slurm.DIRECTIVES}#SBATCH --constraint=gpu\n#SBATCH --qos={{queue}}\n",
    defaults={"queue": "regular", "gpus": 4},
    cpus=32,
    needs=("account",),
)
