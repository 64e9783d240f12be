"""What a run measures."""

import equinox as eqx

from gaugemc.chains.measurement import Measurement
from gaugemc.choices.option import SettingsError
from gaugemc.choices.settings import Settings
from gaugemc.choices.uses import has_baseline
from gaugemc.observables import OBSERVABLES
from gaugemc.theories import Theory


def build_measurement(settings: Settings, theory: Theory) -> Measurement:
    """What the chains of a theory measure."""
    every = settings.evaluate.measure_every
    if settings.observables is None:
        return Measurement(every=every)
    own = own_observables(theory)
    more = tuple(OBSERVABLES[name]() for name in settings.observables if name not in own)
    return Measurement(tuple(settings.observables), more, every)


def own_observables(theory: Theory) -> tuple[str, ...]:
    """The names of a theory's own observables."""
    return tuple(eqx.filter_eval_shape(theory.observables, theory.space.origin()))


def refuse_observables(settings: Settings, theory: Theory) -> None:
    """Raise SettingsError unless the run can measure what it is asked."""
    wanted = settings.observables or []
    own = own_observables(theory) if wanted else ()
    more = {name: kind() for name, kind in OBSERVABLES.items() if name not in own}
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
    e = settings.evaluate
    if e.measure_every > min(e.draws, e.hmc_draws if has_baseline(settings) else e.draws):
        raise SettingsError("evaluate.measure_every", e.measure_every, "must be at most the draws")
