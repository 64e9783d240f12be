"""The part of a batch that one of several devices or processes computes."""

from typing import NamedTuple, TypeVar

import equinox as eqx
from jaxtyping import Array, Int, Shaped

Objective = TypeVar("Objective")


class Share(NamedTuple):
    """One of equal parts of every batch.

    The mean over the parts of a loss is the loss of the whole batch, with the same random numbers.
    """

    index: int | Int[Array, ""] = 0
    parts: int = 1

    def of(self, batch: Shaped[Array, "batch ..."]) -> Shaped[Array, "part ..."]:
        """This part of something that has an entry for each member of the batch."""
        if self.parts == 1:
            return batch
        return batch.reshape(self.parts, -1, *batch.shape[1:])[self.index]


WHOLE = Share()


def can_share(objective: object) -> bool:
    """Whether parts of a batch have losses of their own, with this objective."""
    return hasattr(objective, "share")


def shared(objective: Objective, share: Share) -> Objective:
    """The objective of a part of its batch."""
    return eqx.tree_at(lambda o: o.share, objective, share)
