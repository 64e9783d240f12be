"""Tests of other frameworks are for where these are installed: `make test-frameworks`.

No folder here is named as a framework: pytest puts this one on the path, where such a folder
would stand for the framework.
"""

from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

import pytest

NAMES = {"torch": "pytorch", "tensorflow": "tensorflow"}
"""By package, the name of the framework in settings."""
INSTALLED = [package for package in NAMES if find_spec(package)]

collect_ignore_glob = [f"test_{package}_*" for package in NAMES if package not in INSTALLED]
if not INSTALLED:
    collect_ignore_glob.append("test_frameworks_*")


@pytest.fixture(params=INSTALLED)
def package(request: pytest.FixtureRequest) -> str:
    """Of each framework that is installed."""
    return request.param


@pytest.fixture
def name(package: str) -> str:
    """The framework, as settings name it."""
    return NAMES[package]


@pytest.fixture
def elsewhere(package: str) -> ModuleType:
    """The front end of the framework."""
    return import_module(f"gaugemc.interop.{package}")
