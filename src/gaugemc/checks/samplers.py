"""Checks of a sampler: its maps, and what short chains of it say."""

from jaxtyping import Array, Key

from gaugemc.chains import sample
from gaugemc.checks import maps
from gaugemc.checks.chains import of_chains
from gaugemc.checks.flows import of_flow
from gaugemc.checks.outcome import Check
from gaugemc.checks.precision import in_float64
from gaugemc.checks.shapes import attempt, raised
from gaugemc.exact.solved import exact_observables
from gaugemc.flows import Flow
from gaugemc.samplers import L2HMC, Compose, Sampler
from gaugemc.statistics.autocorrelation import estimates_of
from gaugemc.theories import Pullback


def of_sampler(
    sampler: Sampler, key: Key[Array, ""], chains: int, draws: int, warmup: int
) -> dict[str, Check]:
    """Maps in float64, and chains in the sampler's own precision.

    Maps are the trajectories of members with dynamics, the proposals of L2HMC, and flows: of the
    theory, where it is pulled back, and of members that propose from one.
    """
    precise = in_float64(sampler)
    checks: dict[str, Check] = {}
    for name, member in maps.dynamics_in(precise).items():
        checks[f"reversibility{name}"] = attempt(lambda m=member: maps.reversibility(m, key))
    for name, flow in flows_in(precise).items():
        found = of_flow(flow, precise.theory.space, key)
        checks |= {f"{check}{name}": outcome for check, outcome in found.items()}
    if isinstance(precise, L2HMC):
        checks["log_det"] = attempt(lambda: maps.log_det_of_proposal(precise, key))
    try:
        made = sample(sampler, key, chains=chains, draws=draws, warmup=warmup).draws
        estimates = estimates_of(made.observables, sampler.theory.leading)
        exact = exact_of(sampler)
        checks |= of_chains(sampler, made, estimates, exact, sampler.theory.leading)
    except Exception as error:
        checks["chains"] = Check("failed", raised(error))
    return checks


def exact_of(sampler: Sampler) -> dict[str, float]:
    """Exact values of the physical theory, whatever variables the sampler moves."""
    theory = sampler.theory
    return exact_observables(theory.theory if isinstance(theory, Pullback) else theory)


def flows_in(sampler: Sampler) -> dict[str, Flow]:
    """The flows on which a sampler's exactness rests, by what tells them apart."""
    found: dict[str, Flow] = {}
    theory = sampler.theory
    if isinstance(theory, Pullback) and isinstance(theory.flow, Flow):
        found[""] = theory.flow
    members = zip(sampler.names, sampler.samplers) if isinstance(sampler, Compose) else []
    for name, member in [("", sampler), *((f".{own}", member) for own, member in members)]:
        flow = getattr(member, "flow", None)
        if isinstance(flow, Flow):
            found[name] = flow
    return found
