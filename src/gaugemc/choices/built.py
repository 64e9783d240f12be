"""Types of what choices build, for annotations: at run time anything, for the types import JAX."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import jax
    from jaxtyping import Key

    from gaugemc.choices.build import Model as Model
    from gaugemc.choices.settings import Settings as Settings
    from gaugemc.flows import CircleMap as CircleMap
    from gaugemc.flows import Flow as Flow
    from gaugemc.samplers import HMC as HMC
    from gaugemc.samplers import Sampler as Sampler
    from gaugemc.theories import Theory as Theory
    from gaugemc.theories import Wilson as Wilson

    RandomKey = Key[jax.Array, ""]
else:

    def __getattr__(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Any
