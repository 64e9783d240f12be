"""The trained arrays of a model as parameters of PyTorch."""

import equinox as eqx
import jax
from jaxtyping import PyTree
from torch import nn

from gaugemc.interop.torch.arrays import lent, own


class Parameters(nn.Module):
    """One parameter for each trained array of a model, with the name of its leaf in checkpoints.

    The leaf `.layers[0].weight` is the parameter `layers.0.weight`.
    """

    def __init__(self, model: PyTree):
        super().__init__()
        trained, self.fixed = eqx.partition(model, eqx.is_inexact_array)
        leaves, self.structure = jax.tree_util.tree_flatten_with_path(trained)
        paths = [jax.tree_util.keystr(path, simple=True, separator=".") for path, _ in leaves]
        self.names = [path or "value" for path in paths]  # a model may be a single array
        for name, (_, leaf) in zip(self.names, leaves, strict=True):
            *outer, last = name.split(".")
            module: nn.Module = self  # modules within modules: a name in PyTorch has no dot
            for part in outer:
                if part not in module._modules:
                    module.add_module(part, nn.Module())
                module = module.get_submodule(part)
            module.register_parameter(last, nn.Parameter(own(leaf)))

    def in_order(self) -> list[nn.Parameter]:
        """The parameters in the order of the model's leaves, which PyTorch's own need not be."""
        return [self.get_parameter(name) for name in self.names]

    def forward(self) -> PyTree:
        """The model with the parameters as they are now, in JAX's own memory."""
        leaves = [jax.numpy.array(lent(parameter)) for parameter in self.in_order()]
        return eqx.combine(jax.tree.unflatten(self.structure, leaves), self.fixed)
