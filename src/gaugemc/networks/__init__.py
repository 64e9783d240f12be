"""Networks of flows and of L2HMC: perceptrons, convolutions, networks of invariant fluxes."""

from gaugemc.networks.pair_network import PairNetwork as PairNetwork
from gaugemc.networks.perceptron import Perceptron as Perceptron
from gaugemc.networks.stripes import StripeNetwork as StripeNetwork
from gaugemc.networks.stripes import UnrolledNetwork as UnrolledNetwork
