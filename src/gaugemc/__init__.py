"""Trained Markov chain Monte Carlo samplers for lattice gauge theory that are exact.

`import gaugemc as gm`: the public names, listed in `__init__.pyi`, are loaded when they are used.
"""

import lazy_loader

__version__ = "0.1.0"
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
