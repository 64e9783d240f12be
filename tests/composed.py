"""Settings as the command composes them, for tests that run in this process."""

from hydra import compose, initialize
from hydra.core.global_hydra import GlobalHydra

from gaugemc.choices.settings import Settings
from gaugemc.cli import prepare_jax, settings_of
from gaugemc.conf import register

SMALL = [
    "mode=debug",
    "theory.lattice=[4,4]",
    "chains=4",
    "progress=false",
    "flow.n_layers=2",
    "network.hidden=[4]",
]
"""Of runs that are quick: 4x4, and a flow of two layers."""


def composed(*overrides: str) -> Settings:
    """The settings that these arguments of the command make."""
    prepare_jax()
    register()
    GlobalHydra.instance().clear()
    with initialize(version_base="1.3", config_path=None):
        return settings_of(compose("command", overrides=list(overrides)))
