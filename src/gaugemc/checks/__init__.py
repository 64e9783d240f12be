"""Checks with three outcomes: of the maps and chains of a run, and of a user's own objects."""

from gaugemc.checks.chains import of_chains as of_chains
from gaugemc.checks.check import Checks as Checks
from gaugemc.checks.check import check as check
from gaugemc.checks.maps import of_maps as of_maps
from gaugemc.checks.outcome import Check as Check
from gaugemc.checks.outcome import Tally as Tally
from gaugemc.checks.outcome import tally as tally
