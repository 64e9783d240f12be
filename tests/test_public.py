"""`import gaugemc as gm`: the public names, loaded when they are used."""

import ast
import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from test_docs import ROOT, hook

import gaugemc as gm

SOURCE = Path(str(gm.__file__)).parent
public = hook("hooks/public.py")
HEAVY = ("jax", "equinox", "optax", "matplotlib", "pyerrors", "scipy", "h5py", "hydra", "rich")


def test_every_public_name_is_there() -> None:
    for name in gm.__all__:
        assert getattr(gm, name) is not None
    assert set(gm.__all__) <= set(dir(gm))
    assert callable(gm.check)  # no module that has the name too


def test_public_names_are_those_of_their_rooms() -> None:
    """A name of the top is the same object in the package of its room."""
    stub = ast.parse((SOURCE / "__init__.pyi").read_text())
    listed = [
        (node.module, alias.name)
        for node in stub.body
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    ]
    assert len(listed) > 60
    for room, name in listed:
        assert getattr(importlib.import_module(f"gaugemc.{room}"), name) is getattr(gm, name)


def test_importing_the_package_imports_nothing_heavy() -> None:
    program = f"import sys, gaugemc; print(sorted(set({HEAVY}) & set(sys.modules)))"
    environment = os.environ | {"PYTHONPATH": str(SOURCE.parent)}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="No gaugemc attribute chek"):
        getattr(gm, "chek")  # noqa: B009


def test_the_manual_lists_every_public_name() -> None:
    names = {n.name: n for n in public.public_names(ROOT / "src")}
    assert set(names) == {n for n in gm.__all__ if n != "exact"}
    assert names["HMC"].path == "gaugemc.samplers.hmc.hmc.HMC"
    assert names["fit"].path == "gaugemc.training.fit.fit"
    assert all(n.line for n in names.values())
