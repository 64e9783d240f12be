"""What is measured on a configuration, one file each."""

import importlib
import pkgutil

from gaugemc.observables.observable import LinkObservable as LinkObservable
from gaugemc.observables.observable import Observable as Observable

OBSERVABLES: dict[str, type[Observable]] = {
    cls.name: cls
    for file in pkgutil.iter_modules(__path__, f"{__name__}.")
    for cls in vars(importlib.import_module(file.name)).values()
    if isinstance(cls, type) and issubclass(cls, Observable) and hasattr(cls, "name")
}
"""All observables by name, from the files of this folder."""

SLOW = ("charge", "flowed_energy", "flowed_charge")
"""Observables that are the last to forget, where they are measured: samplers are judged by them."""
