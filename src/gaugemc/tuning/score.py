"""How far a candidate moves an observable for a given cost, with an error; rare events have one.

The mean squared change between two draws whose distance costs a number of forces, the same number
for all candidates. From one draw to the next is not enough: a charge that jumps and jumps
back has not moved, and trajectories of other lengths do so to other degrees (2D U(1), 8x8, beta 4:
the squared change per force of a single draw is the same within 15 % for lengths 0.3 to 2.5, and
the charge's autocorrelation time in forces halves).

Where an observable changes rarely (a charge that is nearly frozen), a few changes decide, and their
number has the error of a Poisson distribution, also where the number is 0.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Shaped
from scipy.special import stdtrit

FALSE_ALARM = 6.2e-3
"""Probability that a given one of two equal candidates is called better: 2.5 standard errors."""
_BLOCKS = 16
"""Errors come from the spread of as many blocks as this, or of chains where there are more."""


class Score(NamedTuple):
    """Mean squared change of an observable over a cost that is the same for all candidates."""

    value: float
    """Per cost of a force."""
    error: float


class Series(NamedTuple):
    """What a candidate drew of an observable."""

    parts: list[Shaped[np.ndarray, "chain draw *axes"]]
    """One or more runs of all chains."""
    cost: float
    """Cost between two of its draws, in forces: of all draws, or of those it was measured on."""
    every_draw: bool = True
    """Whether it was measured on every draw."""


class Jumps(NamedTuple):
    """The squared changes of an observable over a given cost."""

    squares: Float[np.ndarray, "chain draw"]
    cost: float
    """Between the two draws of a change, in forces."""
    overlap: float
    """Changes that share a draw-to-draw step: so many count as one."""

    @property
    def count(self) -> float:
        """How many independent changes there were."""
        return np.count_nonzero(self.squares) / self.overlap

    @property
    def value(self) -> float:
        """The score."""
        return float(self.squares.mean()) / self.cost

    @property
    def blocks(self) -> Float[np.ndarray, " block"]:
        """The scores of parts: of each chain, or of parts of a chain where there are few."""
        chains, draws = self.squares.shape
        parts = min(draws, -(-_BLOCKS // chains))
        means = [part.mean() for chain in self.squares for part in np.array_split(chain, parts)]
        return np.array(means) / self.cost

    def counting_error(self, size: float) -> float:
        """The error of a number of rare changes, one more than were seen, as a score.

        `size` is the square of a typical change, for where there was none.
        """
        if self.count:
            size = float(self.squares.sum()) / np.count_nonzero(self.squares)
        return size * float(np.sqrt(self.count + 1)) * self.overlap / self.squares.size / self.cost


def changes(series: Series, cost: float) -> Jumps:
    """The squared changes over a cost; of an observable with axes, their mean.

    Between whole numbers of draws they are interpolated: a cost of 2.5 draws is 2 or 3 draws, each
    half of the time. A change to or from NaN says nothing, and counts as none.
    """
    lag, rest = divmod(cost / series.cost, 1.0)
    near, found = int(lag), []
    for part in series.parts:
        wide = np.asarray(part, np.complex128 if np.iscomplexobj(part) else np.float64)
        count = wide.shape[1] - near - (rest > 0)
        apart = np.zeros(())
        for distance, weight in ((near, 1 - rest), (near + 1, rest)):
            if distance > 0 and weight > 0:
                later = wide[:, distance : distance + count]
                apart = apart + weight * np.abs(later - wide[:, :count]) ** 2
        found.append(np.where(np.isfinite(apart), apart, 0.0).reshape(len(wide), count, -1))
    squares = np.concatenate([part.mean(axis=2) for part in found], axis=1)
    return Jumps(squares, cost, max(1.0, cost / series.cost))


def comparable(candidates: Sequence[Series]) -> list[Jumps]:
    """The changes of all candidates over the cost at which the observable tells most.

    Over too long a cost every candidate has forgotten its start, and over too short a cost none has
    moved: the first power of two (times the cheapest draw) is taken by which the best candidate has
    moved by half of what it moves by in the longest. That is a quarter of the shortest run.

    Between two measurements a chain moves, and nobody sees by how much at first: interpolated from
    0, that would be too little. So no cost is below that between two measurements of a candidate.
    """
    shortest = min(c.cost * c.parts[0].shape[1] for c in candidates)
    cheapest = min(c.cost for c in candidates)
    unseen = max((c.cost for c in candidates if not c.every_draw), default=0.0)
    least = min(unseen, *(c.cost * (c.parts[0].shape[1] - 1) for c in candidates))
    count = max(1, int(np.log2(max(shortest / 4 / cheapest, 1.0))) + 1)
    costs = [max(least, cheapest * 2.0**power) for power in range(count)]
    tables = [[changes(c, cost) for c in candidates] for cost in costs]
    reached = [max(float(j.squares.mean()) for j in table) for table in tables]
    return tables[int(np.argmax(np.array(reached) >= reached[-1] / 2))]


def typical_size(candidates: Sequence[Jumps]) -> float:
    """The mean square of a change, over the changes of all candidates; 0 where none moves."""
    count = sum(np.count_nonzero(c.squares) for c in candidates)
    return sum(float(c.squares.sum()) for c in candidates) / count if count else 0.0


def score(jumps: Jumps, size: float) -> Score:
    """The score with its error: the spread of blocks, or the counting error where greater.

    Args:
        jumps: of a candidate.
        size: the square of a typical change, from `typical_size`.
    """
    return Score(jumps.value, max(spread(jumps.blocks), jumps.counting_error(size)))


def spread(blocks: Float[np.ndarray, " block"]) -> float:
    """The error of the mean of blocks; infinite for a single block."""
    n = len(blocks)
    return float(blocks.std(ddof=1) / np.sqrt(n)) if n > 1 else float("inf")


def deviation(better: Jumps, worse: Jumps, size: float) -> float:
    """By how many standard errors one score is above another.

    Chains are compared one by one where both have as many blocks: candidates are scored from the
    same states, and what those states give to both cancels.
    """
    a, b = better.blocks, worse.blocks
    apart = spread(a - b) if len(a) == len(b) else float(np.hypot(spread(a), spread(b)))
    counting = float(np.hypot(better.counting_error(size), worse.counting_error(size)))
    error = max(apart, counting)
    difference = better.value - worse.value
    return difference / error if error > 0 else 0.0


def significant(jumps: Jumps) -> float:
    """Standard errors that are significant: Student's t with as many degrees as blocks allow."""
    degrees = max(len(jumps.blocks) - 1, 1)
    return float(-stdtrit(degrees, FALSE_ALARM))
