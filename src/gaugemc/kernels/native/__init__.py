"""Compiled kernels: C++ that XLA calls, for links of U(1), SU(2) and SU(3) and for a spline."""

from gaugemc.kernels.native.calls import Couplings as Couplings
from gaugemc.kernels.native.calls import field_strength_products as field_strength_products
from gaugemc.kernels.native.calls import flow as flow
from gaugemc.kernels.native.calls import force as force
from gaugemc.kernels.native.calls import kernels as kernels
from gaugemc.kernels.native.calls import knows_generator as knows_generator
from gaugemc.kernels.native.calls import local_updates as local_updates
from gaugemc.kernels.native.calls import move as move
from gaugemc.kernels.native.calls import plaquette_sum as plaquette_sum
from gaugemc.kernels.native.calls import rectangle_sum as rectangle_sum
from gaugemc.kernels.native.calls import stages as stages
from gaugemc.kernels.native.calls import staples as staples
from gaugemc.kernels.native.calls import stout as stout
from gaugemc.kernels.native.calls import stout_pull as stout_pull
from gaugemc.kernels.native.calls import trajectory as trajectory
from gaugemc.kernels.native.calls import twinned as twinned
from gaugemc.kernels.native.spline import spline as spline
