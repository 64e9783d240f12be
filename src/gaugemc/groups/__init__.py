"""What a link is: U(1) angles and SU(N) matrices behind one interface."""

from gaugemc.groups.group import Group as Group
from gaugemc.groups.sun import SUN as SUN
from gaugemc.groups.trigonometry import arctangent as arctangent
from gaugemc.groups.trigonometry import cosine as cosine
from gaugemc.groups.trigonometry import sine as sine
from gaugemc.groups.trigonometry import wrap as wrap
from gaugemc.groups.u1 import U1 as U1
