"""A cluster of SLURM on this machine: one node of two CPUs, in a directory of its own."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DAEMONS = ("munged", "slurmctld", "slurmd")
CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmctldPort={control}
SlurmdPort={node}
AuthType=auth/munge
AuthInfo=socket={path}/munge.socket,cred_expire=5
StateSaveLocation={path}/state
SlurmdSpoolDir={path}/spool
SlurmctldPidFile={path}/slurmctld.pid
SlurmdPidFile={path}/slurmd.pid
SlurmctldLogFile={path}/slurmctld.log
SlurmdLogFile={path}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
SchedulerType=sched/builtin
SchedulerParameters=batch_sched_delay=1,sched_interval=1
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MpiDefault=none
SwitchType=switch/none
KillWait=5
NodeName={host} NodeAddr=127.0.0.1 CPUs=2
PartitionName=all Nodes=ALL Default=YES
"""
"""A requeued job waits until the old one's credentials have expired: 2 minutes by default."""


def missing() -> str:
    """Why there can be no cluster here; empty where there can."""
    found = os.pathsep.join((os.environ["PATH"], "/usr/sbin", "/sbin"))
    lacking = [daemon for daemon in (*DAEMONS, "sbatch") if not shutil.which(daemon, path=found)]
    if lacking:
        return f"{', '.join(lacking)} not installed: make test-slurm installs slurm-wlm and munge"
    return "" if os.geteuid() == 0 else "the daemons of SLURM need root"


def free_port() -> int:
    """A port that nobody uses."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@contextmanager
def taken_port() -> Iterator[int]:
    """A port that is in use inside."""
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        yield taken.getsockname()[1]


@contextmanager
def cluster(path: Path) -> Iterator[dict[str, str]]:
    """Inside, SLURM runs; the environment for its commands. What was started is stopped.

    SIGTERM, by which `timeout` ends a test, is Ctrl-C inside.
    """
    ended = signal.signal(signal.SIGTERM, signal.default_int_handler)
    for name in ("state", "spool"):
        (path / name).mkdir()
    key = path / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    host = socket.gethostname().partition(".")[0]
    configuration = path / "slurm.conf"
    ports = {"control": free_port(), "node": free_port()}
    configuration.write_text(CONFIGURATION.format(host=host, path=path, **ports))
    found = os.pathsep.join((os.environ["PATH"], "/usr/sbin", "/sbin"))
    environment = {**os.environ, "PATH": found, "SLURM_CONF": str(configuration)}
    munge = [f"--{name}-file={path}/munge.{name}" for name in ("key", "pid", "log", "seed")]
    commands = (
        ["munged", "--foreground", "--force", f"--socket={path}/munge.socket", *munge],
        ["slurmctld", "-D", "-f", str(configuration)],
        ["slurmd", "-D", "-f", str(configuration), "-N", host],
    )
    started: list[subprocess.Popen[bytes]] = []
    try:
        for command in commands:
            with (path / f"{command[0]}.out").open("wb") as out:
                started.append(
                    subprocess.Popen(
                        command,
                        env=environment,
                        stdout=out,
                        stderr=subprocess.STDOUT,
                        start_new_session=True,  # a signal for all of us leaves them to the end
                    )
                )
            if command[0] == "munged":
                wait(lambda: (path / "munge.socket").exists(), 30)
        wait(lambda: "idle" in said(environment, "sinfo", "-h", "-o", "%T"), 60)
        yield environment
    finally:
        if len(started) == len(commands):
            subprocess.run(["scancel", "--user=root"], env=environment, check=False)
            wait(lambda: not said(environment, "squeue", "-h"), 60)
        for process in reversed(started):
            process.terminate()
        for process in started:
            process.wait(30)
        signal.signal(signal.SIGTERM, ended)


def said(environment: dict[str, str], *command: str) -> str:
    """What a command of SLURM prints; nothing while the cluster does not answer."""
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def wait(happened, seconds: float) -> None:
    """Until something has happened."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"did not happen within {seconds} s"
        time.sleep(0.2)
