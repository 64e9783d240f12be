"""Where the chains of a phase start, and the sampler that is tuned for them."""

from pathlib import Path
from typing import Any, NamedTuple

from jaxtyping import Array, Key, PyTree

from gaugemc.arrays import Field
from gaugemc.choices.measuring import build_tuning_measurement, judged
from gaugemc.choices.settings import Settings
from gaugemc.io.checkpoint import checkpoint_path, load_checkpoint, save_checkpoint
from gaugemc.mesh import gathered
from gaugemc.run.configurations import continued, new_chains
from gaugemc.run.run_directory import RunDirectory
from gaugemc.samplers import HMC, Sampler
from gaugemc.samplers.compose import hmc_in, with_hmc
from gaugemc.tuning import Tuning, beside_forces, middle, settle, tune


class Phase(NamedTuple):
    """What to run, under what name."""

    name: str
    """Names the checkpoints and the HDF5 file: "evaluate", "hmc" or "hmc-OBSERVABLE"."""
    sampler: Sampler
    draws: int
    warmup: int
    tune: bool
    each: bool = False
    """Whether other observables get a phase of their own where they need another HMC."""
    x: Field | None = None
    """Where each chain of a sampler starts that is tuned; None for `new_chains`, or a tuner's."""
    settled_by: HMC | None = None
    """What brings new chains near equilibrium first, where the sampler would not leave its start.
    """


class Tuned(NamedTuple):
    """A phase's sampler after tuning, and where its chains start."""

    sampler: Sampler
    """The best for the first of the observables that are compared."""
    states: PyTree
    table: list[dict[str, Any]]
    """Of the candidates, for summary.json; empty where nothing was tuned."""
    better: dict[str, Sampler]
    """Of the other observables, those for which another candidate is significantly better."""


def tuned(
    settings: Settings,
    directory: RunDirectory,
    phase: Phase,
    start: Field | None,
    start_key: Key[Array, ""],
    tune_key: Key[Array, ""],
) -> Tuned:
    """Tune a phase's sampler, or read what was found before an interruption.

    Tuning is not a Markov chain, so the chains that follow warm up. They start where the tuner's
    chains are: steps that are tuned in equilibrium are hardly ever accepted at a hot start.
    """
    sampler, hmc = phase.sampler, hmc_in(phase.sampler)
    if phase.x is not None:
        return Tuned(sampler, continued(settings, sampler, phase.x), [], {})
    if phase.settled_by is not None and start is None:
        x = settled(settings, directory, phase.name, phase.settled_by, start_key, tune_key)
        return Tuned(sampler, continued(settings, sampler, x), [], {})
    if not phase.tune or hmc is None:
        return Tuned(sampler, new_chains(settings, start, sampler, start_key), [], {})
    states = new_chains(settings, start, hmc, start_key)
    path: Path = checkpoint_path(directory.checkpoints, f"tune-{phase.name}", 0)
    e = settings.evaluate
    if directory.newest(f"tune-{phase.name}") is None:
        found = tune(
            hmc,
            tune_key,
            states,
            lengths=e.lengths,
            targets=e.targets,
            iterations=e.tune_iterations,
            draws=e.tune_draws,
            doublings=e.tune_doublings,
            most_steps=e.most_steps,
            measurement=build_tuning_measurement(settings, hmc.theory),
            compared=judged(settings, hmc.theory),
            beside=beside_forces(hmc) if e.tune_for == "seconds" else 0.0,
            progress=settings.progress,
        )
        if not phase.each:
            found = found._replace(choices=dict([*found.choices.items()][:1]))
        best = found.sampler
        others = {name: found.sampler_for(name) for name in differing(found)}
        save_checkpoint(
            path,
            (best.step_size, best.n_steps, gathered(found.states.x)),
            {
                "tuning": table_of(found),
                "better": {n: [float(s.step_size), int(s.n_steps)] for n, s in others.items()},
            },
        )
    like = hmc.step_size, hmc.n_steps, states.x
    (step_size, n_steps, x), metadata = load_checkpoint(path, like)
    best = with_hmc(sampler, hmc.with_steps(step_size, n_steps))
    better = {
        name: with_hmc(sampler, hmc.with_steps(*steps))
        for name, steps in metadata["better"].items()
    }
    return Tuned(best, continued(settings, best, x), metadata["tuning"], better)


def settled(
    settings: Settings,
    directory: RunDirectory,
    name: str,
    hmc: HMC,
    start_key: Key[Array, ""],
    key: Key[Array, ""],
) -> Field:
    """Where HMC leaves new chains that its steps brought near equilibrium, or left them before."""
    e = settings.evaluate
    states = new_chains(settings, None, hmc, start_key)
    path = checkpoint_path(directory.checkpoints, f"settle-{name}", 0)
    if directory.newest(f"settle-{name}") is None:
        _, states = settle(
            hmc,
            key,
            states,
            length=middle(e.lengths),
            iterations=e.tune_iterations,
            most_steps=e.most_steps,
            progress=settings.progress,
        )
        save_checkpoint(path, gathered(states.x), {})
    return load_checkpoint(path, states.x)[0]


def differing(tuning: Tuning) -> list[str]:
    """The observables that have another choice than the first one."""
    first, *others = tuning.choices.items()
    return [name for name, choice in others if choice.candidate != first[1].candidate]


def table_of(tuning: Tuning) -> list[dict[str, Any]]:
    """The tuning table of summary.json: what was asked for, what was reached, and the choices."""
    first = next(iter(tuning.choices.values()))
    rows = []
    for index, c in enumerate(tuning.candidates):
        why = {name: o.why for name, o in tuning.choices.items() if o.candidate == index}
        score = c.scores[first.scored_by]
        rows.append(
            {
                "length": c.length,
                "target": c.target,
                "trajectory_length": c.trajectory_length,
                "step_size": c.step_size,
                "n_steps": c.n_steps,
                "acceptance": c.acceptance,
                "miss": c.miss,
                "draws": c.draws,
                "score": score.value,
                "score_error": score.error,
                "scored_by": first.scored_by,
                "scores": {name: s._asdict() for name, s in c.scores.items()},
                "chosen": index == first.candidate,
                "chosen_for": why,
            }
        )
    return rows
