"""Densities to sample, each on a space."""

from gaugemc.theories.gaussian import Gaussian as Gaussian
from gaugemc.theories.space import Euclidean as Euclidean
from gaugemc.theories.space import Links as Links
from gaugemc.theories.space import Space as Space
from gaugemc.theories.space import total as total
from gaugemc.theories.theory import Pullback as Pullback
from gaugemc.theories.theory import Theory as Theory
from gaugemc.theories.wilson import Wilson as Wilson
