"""The best model of a training: kept by its measured quality, and used unless the last is as good.

Its checkpoint is best-STEP.ckpt. When training has ended that file holds the model that is used.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from gaugemc.choices.build import Model
from gaugemc.io.checkpoint import checkpoint_path, load_checkpoint, prune, save_checkpoint
from gaugemc.run.run_directory import RunDirectory
from gaugemc.statistics.notation import format_error, number

SIGNIFICANT = 5.0
"""The last model is used unless it is worse than the best by so many errors. Log weights have heavy
tails, so differences of three errors are no surprise between two models that are equally good."""


class Best(NamedTuple):
    """A model, its training step, and what was measured of it: `loss`, `loss_error` and more."""

    model: Model
    step: int
    measured: dict[str, Any]
    end: int | None = None
    """The step at which training ended; None before."""
    last: dict[str, Any] | None = None
    """What was measured of the model of that step."""

    def beats(self, other: "Best | None") -> bool:
        """Whether its loss is the smaller one; NaN beats nothing.

        Nothing beats the model that a training ended with, when steps are made again.
        """
        loss = number(self.measured["loss"])
        if other is None:
            return math.isfinite(loss)
        return other.end is None and loss < number(other.measured["loss"])

    @property
    def warning(self) -> str | None:
        """That the last model is not used, in one line; None where it is."""
        if self.last is None or self.step == self.end:
            return None
        name, key = ("loss", "loss") if self.measured.get("kl") is None else ("D_KL", "kl")
        used, last = (
            format_error(number(m[key]), number(m[f"{key}_error"]))
            for m in (self.measured, self.last)
        )
        return (
            f"training has left its best behind: the model of step {self.step} ({name} {used}) is"
            f" used, not the last one ({name} {last})"
        )


def load_best(directory: RunDirectory, like: Model) -> Best | None:
    """The best model of a run so far."""
    path = directory.newest("best")
    if path is None:
        return None
    model, metadata = load_checkpoint(path, like)
    return Best(model, **metadata)


def save_best(directory: RunDirectory, best: Best) -> None:
    """Write the best model, and remove the one before."""
    path = checkpoint_path(directory.checkpoints, "best", best.step)
    metadata = {name: value for name, value in best._asdict().items() if name != "model"}
    save_checkpoint(path, best.model, metadata)
    prune(directory.checkpoints, "best", 1)


def settle(best: Best | None, last: Best, measure: Callable[[Model], dict[str, Any]]) -> Best:
    """Which of the two is used when training has ended.

    The best of many measurements is the best of their noise too. So it is measured anew, and it is
    used only where the last one is significantly worse.
    """
    last = last._replace(end=last.step, last=last.measured)
    if best is None or best.step == last.step:
        return last
    again = best._replace(measured=measure(best.model), end=last.step, last=last.measured)
    errors = [number(m["loss_error"]) for m in (again.measured, last.measured)]
    limit = number(again.measured["loss"]) + SIGNIFICANT * math.hypot(*errors)
    if number(last.measured["loss"]) <= limit or not again.beats(None):
        return last
    return again
