"""Code whose only reason is speed: shapes that compile to vector arithmetic."""

from gaugemc.kernels.branch import alone as alone
from gaugemc.kernels.interleave import apart as apart
from gaugemc.kernels.interleave import together as together
from gaugemc.kernels.trigonometry import arctangent as arctangent
from gaugemc.kernels.trigonometry import cosine as cosine
from gaugemc.kernels.trigonometry import sine as sine
from gaugemc.kernels.trigonometry import wrap as wrap
