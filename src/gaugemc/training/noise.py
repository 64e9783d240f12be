"""Finding out that clipped gradients have become noise."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

ALARM = 1000
"""Times its early median that a median of the gradient's norm is noise."""

_LONGEST = 100


class NoiseWatch(NamedTuple):
    """Medians of the gradient's norm over windows of steps, against that of the first window.

    A gradient of a flow has heavy tails: single norms of a million are usual, so medians are
    compared. They grow with beta and fall as the flow improves, by factors of ten. A thousand, at a
    norm that is clipped, means that the direction of the update is that of a few wild draws.
    """

    window: int
    """Steps of one window."""
    clip: float
    """Smaller norms are not clipped, and raise no alarm."""
    seen: int = 0
    norms: tuple[float, ...] = ()
    """Of the window that is not yet complete."""
    early: float | None = None
    """The median of the first window."""
    step: int | None = None
    """The first step of the window that raised the alarm; None: it was not raised."""
    median: float | None = None
    """The median of that window."""

    def after(self, norms: Float[np.ndarray, " step"]) -> "NoiseWatch":
        """The watch when it has seen the norms of the next steps too."""
        watch = self
        for norm in norms:
            watch = watch._after_one(float(norm))
        return watch

    def _after_one(self, norm: float) -> "NoiseWatch":
        seen = self.seen + 1
        if self.step is not None:
            return self._replace(seen=seen)
        norms = (*self.norms, norm)
        if len(norms) < self.window:
            return self._replace(seen=seen, norms=norms)
        median = float(np.median(norms))
        if self.early is None:
            return self._replace(seen=seen, norms=(), early=median)
        if median > self.clip and median >= ALARM * self.early:
            first = seen - self.window
            return self._replace(seen=seen, norms=(), step=first, median=median)
        return self._replace(seen=seen, norms=())

    @property
    def warning(self) -> str | None:
        """What happened and what to try, in one line; None where all is well."""
        if self.step is None or self.median is None or self.early is None:
            return None
        return (
            f"gradients are noise from step {self.step} on: their norm, clipped at {self.clip:g},"
            f" has a median of {self.median:.2g}, {self.median / max(self.early, 1e-300):.2g} times"
            f" its early {self.early:.2g}; try a smaller training.learning_rate, more annealing"
            " (training.anneal_fraction), fewer training.steps or precision=fp64"
        )

    @classmethod
    def restored(cls, stored: dict[str, Any]) -> "NoiseWatch":
        """From `_asdict`, when it has been through JSON."""
        return cls(**{**stored, "norms": tuple(stored["norms"])})


def noise_watch(steps: int, clip: float) -> NoiseWatch:
    """The watch of a training before its first step: windows of a twentieth of it, at most 100."""
    return NoiseWatch(max(10, min(_LONGEST, steps // 20)), clip)
