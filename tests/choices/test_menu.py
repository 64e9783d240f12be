"""The menu: what is on it, what it says of itself, and that it accepts what the library has."""

import dataclasses
from collections.abc import Iterable

import pytest

from gaugemc.choices.choice import INTEGRATORS as FORCES
from gaugemc.choices.choice import Choice
from gaugemc.choices.menu import DEFAULTS, chosen, label, menu, metadata
from gaugemc.choices.option import SettingsError
from gaugemc.choices.settings import Settings
from gaugemc.choices.validation import checks
from gaugemc.samplers import INTEGRATORS
from gaugemc.samplers.l2hmc.l2hmc import DIRECTIONS
from gaugemc.samplers.l2hmc.trainable_leapfrog import NETWORKS
from gaugemc.theories import TOYS
from gaugemc.training.jump import FORMS
from gaugemc.training.schedule import ANNEALINGS, RATES

CHOICES = [choice for choices in menu().values() for choice in choices.values()]


def test_the_words_that_scripts_rely_on_are_on_the_menu() -> None:
    words = {
        "theory": "u1_2d su2_2d su3_2d su2_4d su3_4d correlated_gaussian two_gaussians funnel ring",
        "sampler": "hmc fthmc flow mixed l2hmc heatbath winding exact",
        "flow": "ncp spline flux pair multiscale stout continuous",
        "tracker": "none tensorboard wandb",
    }
    assert set(menu()) == set(words)
    assert all(set(text.split()) <= set(menu()[group]) for group, text in words.items())
    assert set(TOYS) <= set(menu()["theory"])


@pytest.mark.parametrize("choice", CHOICES, ids=lambda c: f"{c.of_group}-{c.word()}")
def test_a_choice_explains_itself_and_its_settings(choice: type[Choice]) -> None:
    assert (choice.__doc__ or "").endswith(".")
    assert chosen(choice.of_group, choice.word()) is choice
    for field in dataclasses.fields(choice):
        assert metadata(choice, field.name)["doc"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        choice().load = "elsewhere"  # pyright: ignore[reportAttributeAccessIssue]


def test_the_defaults_pass_their_own_checks() -> None:
    assert {group: getattr(Settings(), group).word() for group in DEFAULTS} == DEFAULTS
    for key, value, check in checks(Settings()):
        if check is not None:
            check(key, value)


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("sampler.integrator", INTEGRATORS),
        ("dynamics.direction", DIRECTIONS),
        ("dynamics.network", NETWORKS),
        ("loss.form", (*FORMS, "energy")),
        ("training.schedule", RATES),
        ("training.annealing", ANNEALINGS),
    ],
)
def test_a_setting_accepts_what_the_library_has(key: str, values: Iterable[str]) -> None:
    check = next(check for name, _, check in checks(Settings()) if name == key)
    for value in values:
        check(key, value)
    with pytest.raises(SettingsError, match=f"{key}=nope: choose one of ") as caught:
        check(key, "nope")
    assert set(str(caught.value).partition("one of ")[2].split(", ")) == set(values)


def test_the_menu_knows_the_forces_of_integrators() -> None:
    assert {name: i.forces_per_step for name, i in INTEGRATORS.items()} == FORCES


def test_a_word_that_is_not_on_the_menu_is_refused_and_shown_as_it_is() -> None:
    with pytest.raises(SettingsError, match=r"flow\.name=nope: choose one of .*ncp"):
        chosen("flow", "nope")
    assert label("sampler", "nope") == "nope"
    assert label("sampler", "fthmc") == "FT-HMC"
