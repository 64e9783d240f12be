"""What is known exactly about a theory: the oracle of a run's checks."""

import math

from gaugemc.exact import sun, u1
from gaugemc.groups import SUN
from gaugemc.spaces import Links, is_u1_2d
from gaugemc.theories import Theory


def solved_u1(theory: Theory) -> tuple[float, int] | None:
    """beta and the number of plaquettes of 2D U(1), whose torus u1.py solves; else None."""
    beta, space = theory.wilson_beta, theory.space
    if beta is not None and is_u1_2d(space):
        return float(beta), math.prod(space.lattice)
    return None


def solved_sun(theory: Theory) -> tuple[int, float, int] | None:
    """N, beta and the number of plaquettes of 2D SU(N), whose torus sun.py solves; else None."""
    match theory.wilson_beta, theory.space:
        case beta, Links(group=SUN(n=n), lattice=(l0, l1)) if beta is not None:
            return n, float(beta), l0 * l1
    return None


def exact_observables(theory: Theory) -> dict[str, float]:
    """Exact expectation values by observable; empty where none are known."""
    abelian, matrices = solved_u1(theory), solved_sun(theory)
    if abelian is not None:
        return u1.exact_observables(*abelian)
    if matrices is not None:
        return {"plaquette": sun.plaquette(*matrices)}
    return theory.exact_observables()


def log_partition_function(theory: Theory) -> float:
    """log Z; NaN where it is not known."""
    abelian, matrices = solved_u1(theory), solved_sun(theory)
    if abelian is not None:
        return u1.log_partition_function(*abelian)
    return math.nan if matrices is None else sun.log_partition_function(*matrices)


def charge_distribution(theory: Theory) -> dict[int, float]:
    """The probability of each topological charge; empty where it is not known."""
    known = solved_u1(theory)
    return {} if known is None else u1.charge_distribution(*known)
