"""The batch systems that `gaugemc submit` knows: one file each."""

from gaugemc.choices.systems import aurora, local, pbs, perlmutter, polaris, slurm
from gaugemc.choices.systems.system import LEAD as LEAD
from gaugemc.choices.systems.system import System as System

SYSTEMS = {
    module.SYSTEM.word: module.SYSTEM for module in (slurm, pbs, polaris, aurora, perlmutter, local)
}
