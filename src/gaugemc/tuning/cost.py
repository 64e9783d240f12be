"""What a draw of HMC costs beside its forces."""

from gaugemc.groups import U1
from gaugemc.samplers.hmc.hmc import HMC
from gaugemc.spaces import Links
from gaugemc.theories import Pullback

COMPILED, IN_XLA, TOY = 30.0, 12.0, 70.0
"""Forces that are as dear as the rest of a draw (momenta, energies, observables): of abelian links
with compiled trajectories, of other links, of vectors. Measured on two CPU cores: 26 to 40 in 2D
U(1), 11 to 14 in 2D and 4D SU(N), 70 for the correlated Gaussian."""


def beside_forces(sampler: HMC) -> float:
    """What a draw costs beside its trajectory, in forces.

    Numbers that are known beforehand, since a tuner that looks at a clock finds another HMC in
    every run. For the flow variables of field-transformation HMC 0: there a force is dear.
    """
    theory = sampler.theory
    if isinstance(theory, Pullback):
        return 0.0
    if not isinstance(theory.space, Links):
        return TOY
    return COMPILED if isinstance(theory.space.group, U1) and theory.compiled_couplings else IN_XLA
