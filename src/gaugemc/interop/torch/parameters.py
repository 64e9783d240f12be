"""The trained arrays of a model as parameters of PyTorch."""

import jax
from jaxtyping import PyTree
from torch import nn

from gaugemc.interop.leaves import leaves_of
from gaugemc.interop.torch.arrays import lent, own


class Parameters(nn.Module):
    """One parameter for each trained array of a model, with the name of its leaf in checkpoints."""

    def __init__(self, model: PyTree):
        super().__init__()
        self.leaves = leaves_of(model)
        for name, leaf in zip(self.leaves.names, self.leaves.arrays, strict=True):
            *outer, last = name.split(".")
            module: nn.Module = self  # modules within modules: a name in PyTorch has no dot
            for part in outer:
                if part not in module._modules:
                    module.add_module(part, nn.Module())
                module = module.get_submodule(part)
            module.register_parameter(last, nn.Parameter(own(leaf)))

    def in_order(self) -> list[nn.Parameter]:
        """The parameters in the order of the model's leaves, which PyTorch's own need not be."""
        return [self.get_parameter(name) for name in self.leaves.names]

    def forward(self) -> PyTree:
        """The model with the parameters as they are now, in JAX's own memory."""
        return self.leaves.model([jax.numpy.array(lent(p)) for p in self.in_order()])
