"""Invertible maps with the log of their Jacobian."""

from gaugemc.flows.circle.circle import CircleMap as CircleMap
from gaugemc.flows.circle.ncp import NCP as NCP
from gaugemc.flows.circle.spline import Spline as Spline
from gaugemc.flows.continuous.continuous import Continuous as Continuous
from gaugemc.flows.continuous.continuous import continuous_flow as continuous_flow
from gaugemc.flows.coupling import GaugeCoupling as GaugeCoupling
from gaugemc.flows.coupling import gauge_flow as gauge_flow
from gaugemc.flows.flow import Chain as Chain
from gaugemc.flows.flow import Flow as Flow
from gaugemc.flows.flow import Repeat as Repeat
from gaugemc.flows.flow import Translate as Translate
from gaugemc.flows.flux import FluxCoupling as FluxCoupling
from gaugemc.flows.flux import flux_flow as flux_flow
from gaugemc.flows.line.line import Affine as Affine
from gaugemc.flows.line.line import LineMap as LineMap
from gaugemc.flows.line.spline import LineSpline as LineSpline
from gaugemc.flows.multiscale.matrix_multiscale import MatrixMultiscale as MatrixMultiscale
from gaugemc.flows.multiscale.matrix_multiscale import matrix_multiscale as matrix_multiscale
from gaugemc.flows.multiscale.multiscale import Multiscale as Multiscale
from gaugemc.flows.multiscale.multiscale import multiscale_flow as multiscale_flow
from gaugemc.flows.pair import PairCoupling as PairCoupling
from gaugemc.flows.pair import pair_flow as pair_flow
from gaugemc.flows.stout.stout import Stout as Stout
from gaugemc.flows.stout.sweeps import stout_flow as stout_flow
from gaugemc.flows.vector import VectorCoupling as VectorCoupling
from gaugemc.flows.vector import vector_flow as vector_flow
