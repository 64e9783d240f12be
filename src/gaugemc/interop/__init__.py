"""Front ends of other frameworks: JAX stays the one implementation of the physics."""

from gaugemc.interop.engine import engine_of as engine_of
from gaugemc.interop.engine import work as work
