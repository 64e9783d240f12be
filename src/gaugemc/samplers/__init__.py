"""Markov kernels."""

from gaugemc.samplers.compose import Compose as Compose
from gaugemc.samplers.exact_u1 import ExactU1 as ExactU1
from gaugemc.samplers.heatbath import Heatbath as Heatbath
from gaugemc.samplers.hmc.hmc import HMC as HMC
from gaugemc.samplers.hmc.integrator import FOREST_RUTH as FOREST_RUTH
from gaugemc.samplers.hmc.integrator import INTEGRATORS as INTEGRATORS
from gaugemc.samplers.hmc.integrator import LEAPFROG as LEAPFROG
from gaugemc.samplers.hmc.integrator import OMELYAN as OMELYAN
from gaugemc.samplers.hmc.integrator import OMF4 as OMF4
from gaugemc.samplers.independence import Independence as Independence
from gaugemc.samplers.l2hmc.generalised_leapfrog import GeneralisedLeapfrog as GeneralisedLeapfrog
from gaugemc.samplers.l2hmc.l2hmc import L2HMC as L2HMC
from gaugemc.samplers.l2hmc.trainable_leapfrog import on_lattice as on_lattice
from gaugemc.samplers.l2hmc.trainable_leapfrog import trainable_leapfrog as trainable_leapfrog
from gaugemc.samplers.metropolis import metropolis as metropolis
from gaugemc.samplers.sampler import ComposeInfo as ComposeInfo
from gaugemc.samplers.sampler import Info as Info
from gaugemc.samplers.sampler import Sampler as Sampler
from gaugemc.samplers.winding import Winding as Winding
