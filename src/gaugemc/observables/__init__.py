"""What is measured on configurations beyond a theory's own observables."""

from gaugemc.observables.charge import sine_charge as sine_charge
from gaugemc.observables.loops import polyakov_means as polyakov_means
from gaugemc.observables.loops import wilson_loop_means as wilson_loop_means
