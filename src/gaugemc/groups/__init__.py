"""What a link is: U(1) angles and SU(N) matrices behind one interface."""

from gaugemc.groups.group import Group as Group
from gaugemc.groups.sun import SUN as SUN
from gaugemc.groups.u1 import U1 as U1
