"""`gaugemc.check`: a user's own flow, theory, space or sampler through the checks, in one call."""

from collections.abc import Iterator, Mapping

import jax
from jaxtyping import Array, Key

from gaugemc.checks.flows import of_flow
from gaugemc.checks.outcome import Check
from gaugemc.checks.precision import in_float64
from gaugemc.checks.samplers import of_sampler
from gaugemc.checks.spaces import of_space
from gaugemc.checks.theories import of_theory
from gaugemc.flows import Flow
from gaugemc.samplers import Sampler
from gaugemc.spaces import Space
from gaugemc.theories import Theory


class Checks(Mapping[str, Check]):
    """The checks of one object by name; prints as a table."""

    def __init__(self, of: str, checks: Mapping[str, Check]):
        self.of = of
        self._checks = dict(checks)

    @property
    def passed(self) -> bool:
        """Whether every check passed; an undecided one has not."""
        return all(check.passed for check in self.values())

    def __getitem__(self, name: str) -> Check:
        return self._checks[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._checks)

    def __len__(self) -> int:
        return len(self._checks)

    def __str__(self) -> str:
        """A line for each check, and one that counts them."""
        width = max(map(len, self), default=0)
        counts = [
            f"{n} {outcome}"
            for outcome in ("passed", "failed", "undecided")
            if (n := sum(check.outcome == outcome for check in self.values()))
        ]
        lines = [f"{self.of}: {', '.join(counts)}"]
        lines += [
            f"  {name:{width}}  {c.outcome:9}  {c.why or said(c)}" for name, c in self.items()
        ]
        return "\n".join(line.rstrip() for line in lines)

    __repr__ = __str__


def said(check: Check) -> str:
    """What a check measured, in a few words."""
    numbers = check.numbers
    where = f" on {'x'.join(map(str, numbers['lattice']))}" if "lattice" in numbers else ""
    if numbers.get("z") is not None:
        return f"z = {numbers['z']:+.1f}"
    if numbers.get("value") is not None:
        return f"{numbers['value']:.2g} <= {numbers['limit']:.2g}{where}"
    return ""


def check(
    subject: object,
    on: Space | Theory | None = None,
    *,
    key: Key[Array, ""] | None = None,
    chains: int = 32,
    draws: int = 400,
    warmup: int = 100,
) -> Checks:
    """Put a flow, a theory, a space or a sampler through the checks of exactness.

    A flow: shapes and types, an image in the space, the inverse, the log-det against that of the
    autodiff Jacobian. A theory: the action, the force against finite differences, observables, and
    gauge invariance where fields are links. A space: the exponential map, kinetic energies of
    random momenta, the gradient against finite differences, the reference measure. A sampler:
    reversibility of its dynamics, the flows that it uses, and of short chains `<exp(-dH)> = 1`,
    exact values where the theory knows them, and convergence.

    Everything but the chains is computed in float64. Z-scores must be within 4: a correct object
    fails each with probability 6e-5, always or never for the same key.

    Args:
        subject: a Flow, Theory, Space or Sampler.
        on: the space of a flow, or a theory on that space; of a flow alone.
        key: the source of randomness; the same one every time by default.
        chains: chains of a sampler.
        draws: draws of each chain.
        warmup: draws to discard first.

    Returns:
        Checks by name: `passed`, and for each check its `outcome`, `why` and `numbers`.

    Raises:
        ValueError: the subject is none of these, or a flow came without a space.
    """
    key = jax.random.key(0) if key is None else key
    name = type(subject).__name__
    if isinstance(subject, Sampler):
        return Checks(name, of_sampler(subject, key, chains, draws, warmup))
    if isinstance(subject, Theory):
        return Checks(name, of_theory(in_float64(subject), key))
    if isinstance(subject, Space):
        return Checks(name, of_space(in_float64(subject), key))
    if isinstance(subject, Flow):
        space = on.space if isinstance(on, Theory) else on
        if not isinstance(space, Space):
            raise ValueError("check: say on which space the flow is, check(flow, space)")
        return Checks(name, of_flow(in_float64(subject), in_float64(space), key))
    raise ValueError(f"check: needs a Flow, Theory, Space or Sampler, not {subject!r:.60}")
