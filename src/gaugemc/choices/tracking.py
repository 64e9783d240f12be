"""Which trackers a run has."""

from gaugemc.choices.choice import TrackerChoice
from gaugemc.choices.menu import menu
from gaugemc.choices.option import SettingsError
from gaugemc.choices.settings import Settings


def trackers(settings: Settings) -> list[TrackerChoice]:
    """The tracker, and those of tracker.also with their defaults.

    Raises:
        SettingsError: one of these is not on the menu.
    """
    first, known = settings.tracker, menu()["tracker"]
    for word in first.also:
        if word not in known:
            problem = f"{word}: choose from {', '.join(known)}"
            raise SettingsError("tracker.also", first.also, problem)
    more = dict.fromkeys(word for word in first.also if word not in (first.name, "none"))
    return [first, *(known[word]() for word in more)]  # pyright: ignore[reportReturnType]
