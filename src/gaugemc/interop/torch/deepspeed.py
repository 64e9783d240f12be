"""DeepSpeed averages the gradients and, with ZeRO, shares the optimiser: `backend=deepspeed`."""

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import deepspeed
import torch
from deepspeed.comm import comm
from deepspeed.utils import (
    lazy_init_hp_params_optimizer_state,
    safe_get_full_optimizer_state,
    safe_set_full_optimizer_state,
)
from jaxtyping import PyTree
from torch import distributed, nn

from gaugemc.interop.torch.adam import MOMENTS, TorchAdam
from gaugemc.interop.torch.ddp import Distributed, joined
from gaugemc.interop.torch.loss import Loss
from gaugemc.training.schedule import Descent


class DeepSpeed(Distributed):
    """Processes of torch.distributed under an engine of DeepSpeed.

    Args:
        zero: stage of ZeRO. With 1 each process holds a part of the optimiser, with 2 also of the
            gradients.
    """

    def __init__(self, zero: int):
        super().__init__()
        self.zero = zero

    def prepared(self, loss: Loss, descent: Descent, state: PyTree) -> tuple[nn.Module, TorchAdam]:
        adam = EngineAdam(loss, descent, state, self.zero)
        return adam.engine, adam


class EngineAdam(TorchAdam):
    """PyTorch's Adam in the hands of an engine of DeepSpeed.

    Parameters, gradients and moments keep their type: what a network computes in float16 or
    bfloat16 is a matter of the loss. DeepSpeed's own clipping, precision and schedules are off.
    """

    def __init__(self, loss: Loss, descent: Descent, state: PyTree, zero: int):
        super().__init__(loss.model.in_order(), descent, state)
        self.zero, self.norm = zero, torch.nan
        whole = {name: self.moments(name) for name in MOMENTS}
        self.inner.register_step_pre_hook(lambda *_: self._clip())
        self.engine, *_ = deepspeed.initialize(
            model=loss,
            optimizer=self.inner,
            config={
                "train_micro_batch_size_per_gpu": 1,
                "gradient_clipping": 0.0,
                "zero_allow_untested_optimizer": True,
                "zero_optimization": {"stage": zero, "compute_grad_norm": not zero},
            },
        )
        # The engine averages no gradients in float64.
        self.averages = self.parameters[0].dtype == torch.float64
        self.engine.enable_backward_allreduce = not self.averages
        if zero:
            self._share_out(whole)

    def _share_out(self, whole: Mapping[str, Sequence[torch.Tensor]]) -> None:
        """Give each process its part of the moments."""
        (part,) = self.inner.param_groups[0]["params"]
        moments = {name: torch.zeros_like(part) for name in MOMENTS}
        self.inner.state.clear()
        self.inner.state[part] = {"step": torch.tensor(float(self.count)), **moments}
        lazy_init_hp_params_optimizer_state(self.parameters, part, self.inner.state)
        for name in MOMENTS:
            for parameter, moment in zip(self.parameters, whole[name], strict=True):
                safe_set_full_optimizer_state(parameter, moment, name)

    def _clip(self) -> None:
        """Before each step, of the gradients that this process has."""
        (held,) = (group["params"] for group in self.inner.param_groups)
        gradients = [parameter.grad for parameter in held]
        norm = torch.nn.utils.get_total_norm(gradients)
        if self.zero:
            distributed.all_reduce(norm.square_())
            norm.sqrt_()
        self.clip(gradients, norm)
        self.norm = norm.item()

    def backward(self, loss: torch.Tensor) -> None:
        self.engine.backward(loss)
        if self.averages:
            for parameter in self.parameters:
                distributed.all_reduce(parameter.grad)
                parameter.grad.div_(distributed.get_world_size())

    def descend(self) -> float:
        self.engine.step()
        return self.norm

    def moments(self, name: str) -> Sequence[torch.Tensor]:
        shared = self.zero and self.parameters[0] not in self.inner.state
        if shared:
            return [safe_get_full_optimizer_state(p, name) for p in self.parameters]
        return super().moments(name)


def leave() -> None:
    """DeepSpeed keeps groups of its own, if there was a training."""
    if comm.cdb is None:
        distributed.destroy_process_group()
    else:
        comm.destroy_process_group()


@contextmanager
def together(zero: int, patience: int) -> Iterator[DeepSpeed]:
    """Inside, the processes that torchrun or DeepSpeed's launcher started are one training.

    Without them this process is alone. `patience` is that of ddp.
    """
    logging.getLogger("DeepSpeed").setLevel(logging.WARNING)
    # Would be compiled at the first start, and say so on stdout; Gloo serves as well.
    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    os.environ.setdefault("LOCAL_RANK", "0")  # one process without a launcher
    with joined(patience, leave):
        yield DeepSpeed(zero)
