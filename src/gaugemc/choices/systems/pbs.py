"""PBS: no signal comes before the limit, so the job watches the time, and submits the next job."""

from gaugemc.choices.systems.system import System, port

DIRECTIVES = """\
#PBS -N {name}
#PBS -A {account}
#PBS -q {queue}
#PBS -l walltime={time}
#PBS -j oe
#PBS -o {directory}/
#PBS -r y
"""

BODY = """\
{about}
cd {here}
number=${{JOB:-$PBS_ARRAY_INDEX}}{of_array}
run={run}
timeout {seconds} {start}  # ends before the walltime does
status=$?
if [ $status = 124 ]; then qsub {again}{script}; fi  # the next job goes on
exit $status
"""

SYSTEM = System(
    word="pbs",
    title="a cluster with PBS",
    directives=DIRECTIVES + "#PBS -l select={nodes}:ncpus={cpus}:mpiprocs={tasks}{no_gpus}\n"
    "#PBS -l select={nodes}:ncpus={cpus}:mpiprocs={tasks}:ngpus={gpus}\n",
    body=BODY,
    submit="qsub",
    launch="mpiexec -n {all_tasks} -ppn {tasks} ",
    array="-J 0-{last}",
    index="$number",
    again=("", '-v JOB="$number" '),
    joined="devices.launcher=mpi devices.coordinator=$(head -n 1 $PBS_NODEFILE):"
    + port("${{PBS_JOBID%%[.[]*}} + ${{PBS_ARRAY_INDEX:-0}}"),
    cpus=1,
)
