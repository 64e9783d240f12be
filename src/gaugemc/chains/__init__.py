"""The one driver: many chains of any sampler, in compiled chunks."""

from gaugemc.chains.driver import Draws as Draws
from gaugemc.chains.driver import Samples as Samples
from gaugemc.chains.driver import sample as sample
from gaugemc.chains.driver import start_chains as start_chains
