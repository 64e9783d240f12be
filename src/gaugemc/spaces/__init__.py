"""The manifolds that fields live on."""

from gaugemc.spaces.euclidean import Euclidean as Euclidean
from gaugemc.spaces.links import Links as Links
from gaugemc.spaces.links import is_u1_2d as is_u1_2d
from gaugemc.spaces.space import Space as Space
from gaugemc.spaces.space import total as total
