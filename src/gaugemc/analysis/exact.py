"""What is known exactly about a theory: the oracle of a run's checks."""

import math

from gaugemc.analysis import exact_sun, exact_u1
from gaugemc.groups import SUN
from gaugemc.theories import Links, Theory


def solved_u1(theory: Theory) -> tuple[float, int] | None:
    """beta and the number of plaquettes of 2D U(1), whose torus exact_u1.py solves; else None."""
    beta, space = theory.wilson_beta, theory.space
    if beta is not None and isinstance(space, Links) and space.has_charge:
        return float(beta), math.prod(space.lattice)
    return None


def exact_observables(theory: Theory) -> dict[str, float]:
    """Exact expectation values by observable; empty where none are known."""
    u1 = solved_u1(theory)
    if u1 is not None:
        return exact_u1.exact_observables(*u1)
    match theory.wilson_beta, theory.space:
        case beta, Links(group=SUN(n=n), lattice=(l0, l1)) if beta is not None:
            return {"plaquette": exact_sun.plaquette(n, float(beta), l0 * l1)}
    return theory.exact_observables()


def log_partition_function(theory: Theory) -> float:
    """log Z; NaN where it is not known."""
    u1 = solved_u1(theory)
    return math.nan if u1 is None else exact_u1.log_partition_function(*u1)


def charge_distribution(theory: Theory) -> dict[int, float]:
    """The probability of each topological charge; empty where it is not known."""
    u1 = solved_u1(theory)
    return {} if u1 is None else exact_u1.charge_distribution(*u1)
