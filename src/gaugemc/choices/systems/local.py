"""This machine, without a batch system."""

from gaugemc.choices.systems.system import System

SYSTEM = System(
    word="local",
    title="this machine, without a batch system; several jobs one after another",
    directives="",
    body="""\
{about}
cd {here}
for run in {runs}; do
  {start}
done
""",
    submit="bash",
)
