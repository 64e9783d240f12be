"""Means with errors that cover, autocorrelation times, comparisons."""

from gaugemc.statistics.autocorrelation import Estimate as Estimate
from gaugemc.statistics.autocorrelation import estimate as estimate
from gaugemc.statistics.autocorrelation import estimates_of as estimates_of
from gaugemc.statistics.autocorrelation import r_hat as r_hat
from gaugemc.statistics.autocorrelation import z_score as z_score
from gaugemc.statistics.creutz import creutz_ratios as creutz_ratios
from gaugemc.statistics.flow_scales import FlowScales as FlowScales
from gaugemc.statistics.flow_scales import flow_scales as flow_scales
from gaugemc.statistics.jackknife import jackknife as jackknife
