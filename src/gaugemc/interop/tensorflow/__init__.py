"""TensorFlow trains: losses as its graphs, the loop of `framework=tensorflow`, SavedModels."""

from gaugemc.interop.tensorflow.export import export as export
from gaugemc.interop.tensorflow.loss import Loss as Loss
from gaugemc.interop.tensorflow.train import train as train
