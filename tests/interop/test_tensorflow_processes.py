"""Two processes of TensorFlow train as one does."""

from pathlib import Path

from launched import differences, lacks, launched

pytestmark = lacks("horovod")


def test_a_hundred_steps_of_two_processes_are_those_of_one() -> None:
    """Losses, parameters, moments and chains."""
    cases = ["0:float64:flow", "0:float64:leapfrog"]
    found = differences("horovodrun", "tensorflow", "horovod", *cases)
    assert all(difference < 1e-6 for difference in found.values()), found


def test_the_command_of_l2hmc_qcd_runs(tmp_path: Path) -> None:
    """In one process without a launcher, from training to the report."""
    words = ["mode=debug", "framework=tensorflow", "backend=horovod", "progress=false"]
    done = launched(None, "-m", "gaugemc", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.splitlines()[-1]).name == "report.html"
