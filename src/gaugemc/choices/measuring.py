"""What a run measures."""

from dataclasses import replace

import equinox as eqx

from gaugemc.chains.measurement import Measurement
from gaugemc.choices.option import SettingsError
from gaugemc.choices.settings import Settings
from gaugemc.choices.traits import baseline_draws
from gaugemc.observables import OBSERVABLES, SLOW
from gaugemc.observables.flowed import Flowed
from gaugemc.spaces import Links
from gaugemc.theories import Theory, flow_times, stable_flow

MOST_TIMES = 1000
"""Of a flow, at which E is kept of each measured draw."""


def build_measurement(settings: Settings, theory: Theory) -> Measurement:
    """What the chains of a theory measure."""
    every = settings.evaluate.measure_every
    flowed = flowed_observables(settings, theory)
    if settings.observables is None:
        return Measurement(more=tuple(flowed.values()), every=every)
    own = own_observables(theory)
    wanted = [name for name in settings.observables if name not in (*own, *flowed)]
    more = (*(OBSERVABLES[name]() for name in wanted), *flowed.values())
    return Measurement(tuple(settings.observables), more, every)


def build_tuning_measurement(settings: Settings, theory: Theory) -> Measurement:
    """What HMC is tuned by: the theory's observables, and those of `SLOW` at the flow's end."""
    flowed = flowed_observables(settings, theory)
    more = tuple(replace(o, times=o.times[-1:]) for name, o in flowed.items() if name in SLOW)
    return Measurement(more=more, every=settings.evaluate.measure_every if more else 1)


def judged(settings: Settings, theory: Theory) -> tuple[str, ...]:
    """The observables that samplers are tuned for, the slowest first."""
    measured = (*flowed_observables(settings, theory), *theory.leading)
    return tuple(dict.fromkeys(n for n in (*SLOW, *theory.leading) if n in measured))


def flowed_observables(settings: Settings, theory: Theory) -> dict[str, Flowed]:
    """The observables of the gradient flow of a run, those that have a meaning."""
    e, space = settings.evaluate, theory.space
    if e.flow_time == 0 or not isinstance(space, Links):
        return {}
    flow = stable_flow(space, e.flow_kernel, e.flow_step)
    times = tuple(flow_times(e.flow_time, e.flow_step).tolist())
    every = (kind(flow, times) for kind in OBSERVABLES.values() if issubclass(kind, Flowed))
    return {o.name: o for o in every if o.has_meaning(space)}


def own_observables(theory: Theory) -> tuple[str, ...]:
    """The names of a theory's own observables."""
    return tuple(eqx.filter_eval_shape(theory.measure, theory.space.origin()))


def refuse_observables(settings: Settings, theory: Theory) -> None:
    """Raise SettingsError unless the run can measure what it is asked."""
    e = settings.evaluate
    if e.flow_time > MOST_TIMES * e.flow_step:
        problem = (
            f"more than {MOST_TIMES} steps of {e.flow_step:g}: take a larger evaluate.flow_step"
        )
        raise SettingsError("evaluate.flow_time", e.flow_time, problem)
    wanted = settings.observables or []
    own = own_observables(theory) if wanted else ()
    flowed = flowed_observables(settings, theory)
    more = {name: kind() for name, kind in OBSERVABLES.items() if name not in own} | flowed
    known = [*own, *(name for name, o in more.items() if o.has_meaning(theory.space))]
    for name in wanted:
        problem = f"there is no {name}; choose of {', '.join(known)}"
        try:
            if name in more:
                more[name].refuse(theory.space)
        except ValueError as error:
            problem = str(error)
        if name not in known:
            raise SettingsError("observables", f"[{','.join(wanted)}]", problem)
    if e.flow_time > 0 and not flowed:
        raise SettingsError(
            "evaluate.flow_time", e.flow_time, f"{settings.theory.name} has no links"
        )
    if e.measure_every > min(e.draws, baseline_draws(settings) or e.draws):
        raise SettingsError("evaluate.measure_every", e.measure_every, "must be at most the draws")
