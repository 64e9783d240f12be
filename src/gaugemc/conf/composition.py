"""From overrides to settings, without a run: for help, for early refusals, and for sweeps."""

from typing import Any

from hydra import compose, initialize
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from gaugemc.choices import schema
from gaugemc.choices.option import SettingsError
from gaugemc.choices.settings import Settings
from gaugemc.choices.sweep import parsed, values
from gaugemc.conf.errors import below_a_value, valid_keys
from gaugemc.conf.groups import register, words
from gaugemc.conf.study import MEMBERS, set_by, swept

CONFIGURATIONS = "pkg://gaugemc.conf"
"""Where Hydra looks for files: a folder without folders, which would be groups (`chains=8`)."""

INTERNAL = ("beside", "together", "within", "hydra")
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
    return settings_of(configuration(overrides))


def configuration(overrides: list[str]) -> Any:
    """What Hydra composes from a command line without sweeps, with Hydra's own settings.

    Raises:
        HydraException, OmegaConfBaseException, SettingsError: there is no such configuration.
    """
    check_choices(overrides)
    if GlobalHydra.instance().is_initialized():
        return compose("command", overrides, return_hydra_config=True)
    register()
    with initialize(version_base="1.3", config_path=CONFIGURATIONS):
        return compose("command", overrides, return_hydra_config=True)


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
    check_members(overrides)


def check_members(overrides: list[str]) -> None:
    """Raise SettingsError for the choice of a group that a member of a study sets to another."""
    given = {
        o.get_key_element(): [v.partition("=")[2] for v in values(o)] for o in parsed(overrides)
    }
    for member in given.get("member", MEMBERS if swept(overrides) else ()):
        for group, word in set_by(member).items():
            other = next((value for value in given.get(group, ()) if value != word), "")
            if other:
                problem = (
                    f"member={member} sets {group}={word}: leave {group} out, or choose another"
                    f" member of {', '.join(MEMBERS)}"
                )
                raise SettingsError(group, other, problem)
