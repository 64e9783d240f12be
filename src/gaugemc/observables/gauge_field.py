"""The gauge field that an observable reads: links of a group, in physical variables."""

from gaugemc.arrays import Field
from gaugemc.groups import Group
from gaugemc.spaces import Links
from gaugemc.theories import Theory


def gauge_field(theory: Theory, x: Field) -> tuple[Group, Field]:
    """The group and the configuration that the variable x of a gauge theory stands for.

    Raises:
        ValueError: if the theory does not live on links.
    """
    if not isinstance(theory.space, Links):
        raise ValueError(f"{theory.name}: not a gauge theory, so there are no loops to measure")
    return theory.space.group, theory.configuration(x)
