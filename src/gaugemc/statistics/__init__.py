"""Means with errors that cover, autocorrelation times, comparisons."""

from gaugemc.statistics.autocorrelation import Estimate as Estimate
from gaugemc.statistics.autocorrelation import estimate as estimate
from gaugemc.statistics.autocorrelation import estimates_of as estimates_of
from gaugemc.statistics.autocorrelation import r_hat as r_hat
from gaugemc.statistics.autocorrelation import z_score as z_score
