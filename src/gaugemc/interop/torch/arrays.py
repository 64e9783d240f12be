"""Arrays on their way between JAX and PyTorch (DLPack).

PyTorch writes in place, and JAX takes its arrays for immutable. So JAX looks at the memory of a
tensor, without a copy, for as long as one compiled call lasts; and a tensor that PyTorch gets is a
copy, its own.
"""

from typing import Any

import jax
import torch


def lent(tensor: torch.Tensor) -> jax.Array:
    """The memory of a tensor as an array, for a call that ends before the tensor is written to.

    A tensor whose memory has gaps, or begins at an address that XLA cannot use, is copied.
    """
    return jax.dlpack.from_dlpack(tensor.detach().resolve_conj().contiguous())


def own(array: jax.Array) -> torch.Tensor:
    """A copy of an array, on the array's device."""
    return torch.from_dlpack(jax.block_until_ready(array)).clone()


def tensors(tree: Any) -> Any:
    """A pytree with tensors of their own in place of arrays."""
    return jax.tree.map(own, tree)


def arrays(tree: Any) -> Any:
    """A pytree with arrays, which are lent, in place of tensors."""
    return jax.tree.map(lent, tree)
