"""From overrides to settings, without a run: for help, for early refusals, and for sweeps."""

from itertools import product
from typing import Any

from hydra import compose, initialize
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import OmegaConf

from gaugemc.choices import schema
from gaugemc.choices.option import SettingsError
from gaugemc.choices.settings import Settings
from gaugemc.conf.errors import below_a_value, valid_keys
from gaugemc.conf.groups import register, words

CONFIGURATIONS = "pkg://gaugemc.conf"
"""Where Hydra looks for files: a folder without folders, which would be groups (`chains=8`)."""

INTERNAL = ("beside", "coupling", "hydra")
"""Groups of the configuration that are no words of the command line."""


def settings_of(config: Any) -> Settings:
    """The settings in a configuration that Hydra composed."""
    plain = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    for key in sorted(OmegaConf.missing_keys(plain)):  # which a merge would fill with defaults
        raise SettingsError(key, "???", "has no value: give one")
    OmegaConf.resolve(plain)
    return schema.settings_of(OmegaConf.to_container(plain))  # pyright: ignore[reportArgumentType]


def composed(overrides: list[str]) -> Settings:
    """The settings that a command line without sweeps stands for.

    Raises:
        HydraException, OmegaConfBaseException, SettingsError: there are no such settings.
    """
    check_choices(overrides)
    if GlobalHydra.instance().is_initialized():
        return settings_of(compose("command", overrides))
    register()
    with initialize(version_base="1.3", config_path=CONFIGURATIONS):
        return settings_of(compose("command", overrides))


def check_choices(overrides: list[str]) -> None:
    """Raise SettingsError for what Hydra would take for a choice of a group, or drop in silence."""
    for override in OverridesParser.create().parse_overrides(overrides):
        key = override.key_or_group
        text = override.input_line or key
        if not key:
            raise SettingsError("", text[1:], "has no key: write KEY=VALUE")
        if key in INTERNAL or below_a_value(key):
            raise SettingsError(key, text.partition("=")[2], f"no such key; {valid_keys('')}")
        if override.is_delete():
            raise SettingsError(key, "~", "a setting cannot be left out: give it a value")
        one = override.is_sweep_override() or isinstance(override.value(), str)
        if key in words() and not one:
            problem = f"choose one of {', '.join(words()[key])}"
            raise SettingsError(key, text.partition("=")[2], problem)


def jobs(overrides: list[str]) -> list[list[str]]:
    """The command lines that a sweep of every combination stands for, in Hydra's order."""
    return [list(job) for job in product(*map(values, parsed(overrides)))]


def parsed(overrides: list[str]) -> list[Override]:
    """Overrides as Hydra reads them; of two with one key the last, at the place of the first."""
    read = OverridesParser.create().parse_overrides(overrides)
    return list({override.get_key_element(): override for override in read}.values())


def values(override: Override) -> list[str]:
    """An override by each of its values."""
    key = override.get_key_element()
    if override.is_discrete_sweep():
        return [f"{key}={value}" for value in override.sweep_string_iterator()]
    return [f"{key}={override.get_value_element_as_str()}"]
