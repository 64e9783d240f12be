"""The jobs that a sweep of the command line stands for."""

from collections.abc import Sequence
from itertools import product

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, ValueType

from gaugemc.choices.option import SettingsError


def jobs(overrides: Sequence[str]) -> list[list[str]]:
    """The command lines that a sweep of every combination stands for, in Hydra's order."""
    return [list(job) for job in product(*map(values, parsed(overrides)))]


def differing(sweep: Sequence[Sequence[str]]) -> list[str]:
    """Of each command line, the words that are not in all of them."""
    return [" ".join(text for text in job if any(text not in o for o in sweep)) for job in sweep]


def parsed(overrides: Sequence[str]) -> list[Override]:
    """Overrides as Hydra reads them; of two with one key the last, at the place of the first."""
    read = OverridesParser.create().parse_overrides(list(overrides))
    return list({override.get_key_element(): override for override in read}.values())


def values(override: Override) -> list[str]:
    """An override by each of its values.

    Raises:
        SettingsError: the override is a sweep that does not say its values.
    """
    key = override.get_key_element()
    globbed = override.value_type == ValueType.GLOB_CHOICE_SWEEP
    if override.is_sweep_override() and (globbed or not override.is_discrete_sweep()):
        text = (override.input_line or "").partition("=")[2]
        raise SettingsError(key, text, f"name the values, as {key}=A,B")
    if override.is_discrete_sweep():
        return [f"{key}={value}" for value in override.sweep_string_iterator()]
    return [f"{key}={override.get_value_element_as_str()}"]
