"""Polaris of ALCF: PBS, four GPUs and 32 cores a node."""

from dataclasses import replace

from gaugemc.choices.systems import pbs

SYSTEM = replace(
    pbs.SYSTEM,
    word="polaris",
    title="Polaris of ALCF",
    directives=f"{pbs.DIRECTIVES}#PBS -l select={{nodes}}:system=polaris\n"
    "#PBS -l place=scatter\n#PBS -l filesystems=home:eagle\n",
    launch="mpiexec -n {all_tasks} --ppn {tasks} --depth={cpus_each} --cpu-bind depth ",
    # the GPU beside the CPUs of a process
    bound="""bash -c 'CUDA_VISIBLE_DEVICES=$((3 - PALS_LOCAL_RANKID)) exec "$0" "$@"' """,
    cpus=8,
    defaults={"queue": "debug", "gpus": 4},
    needs=("account",),
)
