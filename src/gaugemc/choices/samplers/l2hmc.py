"""sampler=l2hmc."""

from typing import Any, ClassVar

from gaugemc.choices.built import Sampler, Settings, Theory
from gaugemc.choices.choice import INTEGRATORS, SamplerChoice, hidden_layer
from gaugemc.choices.option import SettingsError
from gaugemc.choices.samplers.jumps import refuse_jumps


class L2HMCSampler(SamplerChoice):
    """Learning to HMC: proposals of a trained leapfrog."""

    name: str = "l2hmc"
    label = "L2HMC"
    trains = "dynamics"
    vectors = True
    defaults: ClassVar = {
        "network": {"hidden": [4], "kernel_size": 1},
        "loss": {"form": "plain"},
        "training": {
            "objective": "jump",
            "steps": 1000,
            "learning_rate": 1e-3,
            "quality_every": 250,
        },
    }

    def refuse(self, settings: Settings) -> None:
        if settings.loss.form == "energy" and settings.dynamics.length_trainable:
            problem = "loss.form=energy would make trajectories short: set it to false"
            raise SettingsError("dynamics.length_trainable", True, problem)
        if settings.dynamics.has_networks(settings.theory):
            hidden_layer(settings)
        if settings.theory.group is None:
            refuse_of_a_toy(settings)
            return
        network, group = settings.dynamics.network, settings.theory.group
        if group != "U1" and network in ("dense", "conv"):
            problem = f"reads angles, not links of {settings.theory.name}: choose force or gauge"
            raise SettingsError("dynamics.network", network, problem)
        if network == "series" and not settings.theory.is_u1_2d:
            raise SettingsError("dynamics.network", network, "is of 2D U(1) alone: choose force")
        if settings.loss.form != "energy":
            refuse_jumps(settings)
        refuse_layers(settings)

    def build(self, settings: Settings, theory: Theory, model: Any) -> Sampler:
        from gaugemc.samplers import L2HMC

        return L2HMC(theory, model, settings.dynamics.direction)


def refuse_of_a_toy(settings: Settings) -> None:
    """Raise SettingsError for the first setting that vectors have no use for."""
    name = settings.theory.name
    if settings.dynamics.network != "dense":
        problem = f"{name} is a toy, without links: choose dense"
        raise SettingsError("dynamics.network", settings.dynamics.network, problem)
    for part in ("charge", "plaquette", "energy"):
        weight = getattr(settings.loss, f"{part}_weight")
        if weight != 0:
            problem = f"{name} is a toy, trained for distance: set it to 0"
            raise SettingsError(f"loss.{part}_weight", weight, problem)


def refuse_layers(settings: Settings) -> None:
    """Raise SettingsError unless the layers can start as the integrator."""
    d = settings.dynamics
    if not d.has_loop_couplings(settings.theory) or d.integrator == "leapfrog":
        return
    if not d.separate_networks:
        problem = f"kicks of {d.integrator} differ: choose dynamics.integrator=leapfrog"
        raise SettingsError("dynamics.separate_networks", d.separate_networks, problem)
    if d.n_leapfrog % (forces := INTEGRATORS[d.integrator]):
        problem = f"a step of {d.integrator} has {forces} forces: choose a multiple of {forces}"
        raise SettingsError("dynamics.n_leapfrog", d.n_leapfrog, problem)
