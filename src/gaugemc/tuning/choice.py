"""Which candidate to take: the best of one observable where that is no noise, then of the next."""

from collections.abc import Sequence
from typing import NamedTuple

from gaugemc.tuning.score import Jumps, deviation, significant, typical_size


class Rival(NamedTuple):
    """A candidate as the choice sees it."""

    jumps: dict[str, Jumps]
    """By observable."""
    cost: float
    """Of an accepted trajectory, in forces."""


class Choice(NamedTuple):
    """The candidate that was chosen for an observable."""

    candidate: int
    """Its index."""
    scored_by: str
    """The last observable that told candidates apart, or the first that was asked."""
    why: str
    """In words, what each observable said."""


def shortfalls(rivals: Sequence[Rival], name: str) -> list[float]:
    """How far each candidate is below the best in an observable, in units of what is significant.

    0 for the best, above 1 where a candidate is significantly worse. All 0 where none moves.
    """
    jumps = [rival.jumps[name] for rival in rivals]
    size = typical_size(jumps)
    best = max(jumps, key=lambda j: j.value)
    limit = significant(best)
    return [0.0 if j is best else deviation(best, j, size) / limit for j in jumps]


def ties(rivals: Sequence[Rival], name: str) -> list[int]:
    """The candidates within the noise of the best in an observable: their indices."""
    return [i for i, below in enumerate(shortfalls(rivals, name)) if below <= 1]


def worth_drawing(rivals: Sequence[Rival], name: str, doublings: int) -> list[int]:
    """Candidates that more draws may separate: the best, and those that are not far below it.

    `doublings` times as many draws twofold make a difference significant that is now at least
    2^(-doublings / 2) of that. Empty where there is nothing to separate.
    """
    below = shortfalls(rivals, name)
    near = [i for i, b in enumerate(below) if 2.0 ** (-doublings / 2) <= b <= 1]
    return sorted([*near, below.index(0.0)]) if near else []


def choose(rivals: Sequence[Rival], names: Sequence[str]) -> Choice:
    """Choose by the first observable; candidates that tie in one are told apart by the next.

    Where all observables leave several, the one with the cheapest accepted trajectory is taken.
    """
    left = list(range(len(rivals)))
    scored_by, said = names[0], []
    for name in names:
        if len(left) == 1:
            break
        kept = [left[i] for i in ties([rivals[i] for i in left], name)]
        moved = any(rivals[i].jumps[name].count for i in left)
        if len(kept) < len(left):
            scored_by = name
            said.append(
                f"{name}: best of {len(left)}"
                if len(kept) == 1
                else f"{name}: {len(kept)} of {len(left)} within the noise of the best"
            )
        else:
            said.append(f"{name}: no significant best" if moved else f"{name}: never changed")
        left = kept
    if len(left) > 1:
        said.append("the cheapest accepted trajectory of these")
    cheapest = min(left, key=lambda i: rivals[i].cost)
    return Choice(cheapest, scored_by, "; ".join(said) or "the only candidate")


def choose_for_each(
    rivals: Sequence[Rival], compared: Sequence[str], names: Sequence[str]
) -> dict[str, Choice]:
    """The choice for each observable that is compared.

    The choice for the first serves another observable too, unless it is significantly worse than
    the best there.

    Args:
        rivals: the candidates.
        compared: observables, the most important first.
        names: all observables.
    """

    def order(first: str) -> list[str]:
        return list(dict.fromkeys([first, *compared, *names]))

    main = choose(rivals, order(compared[0]))
    choices = {compared[0]: main}
    for name in compared[1:]:
        if main.candidate in ties(rivals, name):
            choices[name] = main._replace(why=f"{name}: the choice for {compared[0]} ties the best")
        else:
            choices[name] = choose(rivals, order(name))
    return choices
