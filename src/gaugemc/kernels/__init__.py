"""Code whose only reason is speed: shapes that compile to vector arithmetic."""

from gaugemc.kernels.branch import alone as alone
from gaugemc.kernels.branch import either as either
from gaugemc.kernels.interleave import apart as apart
from gaugemc.kernels.interleave import together as together
from gaugemc.kernels.matrices import matmul as matmul
from gaugemc.kernels.select import on_links as on_links
from gaugemc.kernels.sums import sums_before as sums_before
from gaugemc.kernels.trigonometry import arctangent as arctangent
from gaugemc.kernels.trigonometry import cosine as cosine
from gaugemc.kernels.trigonometry import sine as sine
from gaugemc.kernels.trigonometry import wrap as wrap
