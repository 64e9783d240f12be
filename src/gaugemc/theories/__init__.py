"""Densities to sample, each on a space."""

from gaugemc.theories.gaussian import Gaussian as Gaussian
from gaugemc.theories.gradient_flow import GradientFlow as GradientFlow
from gaugemc.theories.gradient_flow import flow_kernel as flow_kernel
from gaugemc.theories.gradient_flow import flow_times as flow_times
from gaugemc.theories.gradient_flow import largest_step as largest_step
from gaugemc.theories.gradient_flow import stable_flow as stable_flow
from gaugemc.theories.improved import RECTANGLES as RECTANGLES
from gaugemc.theories.improved import Improved as Improved
from gaugemc.theories.tempered import Tempered as Tempered
from gaugemc.theories.theory import Pullback as Pullback
from gaugemc.theories.theory import Theory as Theory
from gaugemc.theories.toys import TOYS as TOYS
from gaugemc.theories.toys import Funnel as Funnel
from gaugemc.theories.toys import Ring as Ring
from gaugemc.theories.toys import RoughWell as RoughWell
from gaugemc.theories.toys import Toy as Toy
from gaugemc.theories.toys import TwoGaussians as TwoGaussians
from gaugemc.theories.toys import ill_conditioned_gaussian as ill_conditioned_gaussian
from gaugemc.theories.toys import strongly_correlated_gaussian as strongly_correlated_gaussian
from gaugemc.theories.wilson import Wilson as Wilson
