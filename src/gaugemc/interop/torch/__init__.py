"""PyTorch trains: losses and samplers as modules, and the loops of `framework=pytorch`."""

from gaugemc.interop.torch.function import TorchFunction as TorchFunction
from gaugemc.interop.torch.loss import Loss as Loss
from gaugemc.interop.torch.sampling import Sampling as Sampling
from gaugemc.interop.torch.train import train as train
