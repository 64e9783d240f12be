"""The part of a batch that one of several processes computes."""

from typing import NamedTuple, TypeVar

import equinox as eqx
from jaxtyping import Array, Shaped

Objective = TypeVar("Objective")


class Share(NamedTuple):
    """One of equal parts of every batch.

    The mean over the parts of a loss is the loss of the whole batch, with the same random numbers.
    """

    index: int = 0
    parts: int = 1

    def of(self, batch: Shaped[Array, "batch ..."]) -> Shaped[Array, "part ..."]:
        """This part of something that has an entry for each member of the batch."""
        if self.parts == 1:
            return batch
        size = len(batch) // self.parts
        return batch[self.index * size : (self.index + 1) * size]


WHOLE = Share()


def shared(objective: Objective, share: Share) -> Objective:
    """The objective of a part of its batch."""
    return eqx.tree_at(lambda o: o.share, objective, share)
