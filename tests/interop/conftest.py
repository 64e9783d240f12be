"""Tests of other frameworks are for where these are installed: `make test-frameworks`.

No folder here is named as a framework: pytest puts this one on the path, where such a folder
would stand for the framework.
"""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("torch") else ["test_torch_*"]
