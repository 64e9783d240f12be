"""Mean Wilson loops of all sizes."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from gaugemc.arrays import Field
from gaugemc.groups import Group
from gaugemc.lattice import planes, wilson_loops
from gaugemc.observables.observable import LinkObservable
from gaugemc.spaces import Links, Space


class WilsonLoop(LinkObservable):
    """Mean of Re tr W(r, t) / N for r = 1 .. max_r and t = 1 .. max_t; entry [0, 0] has 1 x 1.

    The average is over all sites and all planes (mu, nu), mu < nu, with r along mu and t along nu
    (Wilson 1974). By default loops have sides of at most 4, and of half the shortest extent.
    """

    name = "wilson_loop"
    label = "Wilson loop"

    max_r: int | None = None
    max_t: int | None = None

    def refuse(self, space: Space) -> None:
        super().refuse(space)
        assert isinstance(space, Links)
        pairs = planes(len(space.lattice))
        limit_r, limit_t = (min(space.lattice[pair[i]] for pair in pairs) for i in (0, 1))
        r, t = self._largest(space.lattice)
        if not (1 <= r <= limit_r and 1 <= t <= limit_t):
            raise ValueError(
                f"Wilson loops up to {r} x {t}: lattice {list(space.lattice)}"
                f" holds 1 x 1 up to {limit_r} x {limit_t}"
            )

    @classmethod
    def entry(cls, index: tuple[int, ...]) -> str:
        return f" {tuple(side + 1 for side in index)}"

    def of_links(self, group: Group, links: Field) -> Float[Array, "max_r max_t"]:
        pairs = planes(len(links))
        max_r, max_t = self._largest(links.shape[1 : 1 + len(links)])
        means = [
            jnp.mean(
                jnp.stack(
                    [group.trace(wilson_loops(group, links, mu, nu, r, t)) for mu, nu in pairs]
                ),
                dtype=jnp.float64,
            )
            for r in range(1, max_r + 1)
            for t in range(1, max_t + 1)
        ]
        return jnp.stack(means).reshape(max_r, max_t)

    def _largest(self, lattice: tuple[int, ...]) -> tuple[int, int]:
        usual = min(4, max(1, min(lattice) // 2))
        r, t = (usual if side is None else side for side in (self.max_r, self.max_t))
        return r, t
