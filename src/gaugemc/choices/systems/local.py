"""This machine, without a batch system."""

from gaugemc.choices.systems.system import System, port

SYSTEM = System(
    word="local",
    title="this machine, without a batch system; several jobs one after another",
    directives="",
    body="""\
{about}
cd {here}
share() {{ CUDA_VISIBLE_DEVICES=$process {shared}; }}
worst=0
for run in {runs}; do
  {single}
  for process in {others}; do share & done; process=0; share
  code=$?; wait
  if [ $code -gt 128 ]; then exit $code; fi  # interrupted
  if [ $code -gt $worst ]; then worst=$code; fi
done
exit $worst
""",
    submit="bash",
    joined="devices.launcher=hand devices.processes={total} devices.process=$process"
    " devices.coordinator=127.0.0.1:" + port("$$"),
)
