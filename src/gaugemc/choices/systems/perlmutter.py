"""Perlmutter of NERSC: SLURM, four GPUs a node, queues that are qualities of service."""

from dataclasses import replace

from gaugemc.choices.systems import slurm

SYSTEM = replace(
    slurm.SYSTEM,
    word="perlmutter",
    title="Perlmutter of NERSC",
    directives=f"{slurm.DIRECTIVES}#SBATCH --constraint=gpu\n#SBATCH --qos={{queue}}\n",
    defaults={"queue": "regular", "gpus": 4},
    needs=("account",),
)
