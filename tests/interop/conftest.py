"""Tests of other frameworks are for where these are installed: `make test-frameworks`."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("torch") else ["torch"]
