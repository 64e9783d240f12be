"""SLURM: a signal comes before the limit, and the job puts itself back into the queue."""

from gaugemc.choices.systems.system import LEAD, System

DIRECTIVES = f"""\
#SBATCH --job-name={{name}}
#SBATCH --account={{account}}
#SBATCH --nodes={{nodes}}
#SBATCH --ntasks-per-node={{tasks}}
#SBATCH --cpus-per-task={{cpus_each}}
#SBATCH --gpus-per-node={{gpus}}
#SBATCH --time={{time}}
#SBATCH --output={{log}}
#SBATCH --open-mode=append
#SBATCH --array=0-{{last}}
#SBATCH --requeue
#SBATCH --signal=B:USR1@{LEAD}
"""

BODY = """\
{about}
cd {here}
run={run}
export SRUN_CPUS_PER_TASK={cpus_each}
trap 'scontrol requeue {again}; wait' USR1  # the signal before the time limit
{start} &
wait $!
"""

SYSTEM = System(
    word="slurm",
    title="a cluster with SLURM",
    directives=f"{DIRECTIVES}#SBATCH --partition={{queue}}\n",
    body=BODY,
    submit="sbatch",
    launch="srun ",
    alone="srun ",
    joined="devices.launcher=slurm",
    index="$SLURM_ARRAY_TASK_ID",
    # the last job of an array has the array's number as its own, which stands for all of them
    again=("$SLURM_JOB_ID", "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"),
)
