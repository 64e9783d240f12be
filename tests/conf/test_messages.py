"""What a mistake in Python says: one line each. Where a type is wrong, the test run's own checks of
types would come first, so the mistakes are made in a process without them."""

import json
import subprocess
import sys

import pytest

HEADER = """
import json
import jax, jax.numpy as jnp
jax.config.update("jax_enable_x64", True)
from gaugemc.chains import *
from gaugemc.observables.wilson_loop import WilsonLoop
from gaugemc.flows import *
from gaugemc.groups import *
from gaugemc.io import *
from gaugemc.samplers import *
from gaugemc.spaces import *
from gaugemc.theories import *
key = jax.random.key(1)
space = Links(U1(), (4, 4))
theory = Wilson(space, 1.0)
hmc = HMC(theory, 0.1, 2)
vector = Gaussian(jnp.zeros(2), jnp.eye(2))
gauge = gauge_flow(key, space, NCP(), n_layers=2)
pair = pair_flow(key, space, n_layers=2)
"""
MISTAKES = {
    "Links(U1(), 8)": "lattice 8: give positive whole numbers, such as (8, 8)",
    "Links(U1(), (8, 8.5))": "lattice (8, 8.5): give positive whole numbers",
    "Links(U1(), (8, -8))": "lattice (8, -8): give positive whole numbers",
    "Links('SU3', (8, 8))": "group 'SU3': give a group, such as U1() or SUN(3)",
    "Links(U1(), (8, 8), 'float16')": "type 'float16': the physics runs in float32 or float64",
    "Euclidean(2)": "shape 2: give positive whole numbers",
    "Euclidean((2,), jnp.int32)": "type <class 'jax.numpy.int32'>: the physics runs in",
    "SUN(1)": "SU(1): N must be a whole number, at least 2",
    "SUN(2, native='off')": "native 'off': must be True or False",
    "SUN(2.5)": "SU(2.5): N must be a whole number, at least 2",
    "Wilson(vector.space, 1.0)": "Wilson's action: needs links, not",
    "Wilson(space, '1')": "beta 1: must be finite and not negative",
    "Improved(space, 1.0, c1='iwasaki')": "c1 'iwasaki': must be a finite number, such as -1/12",
    "Improved(space, 1.0, c1=None)": "c1 None: must be a finite number, such as -1/12",
    "GradientFlow(space)": "gradient flow: needs a theory, as of flow_kernel, not Links",
    "GradientFlow(theory, '0.1')": "step 0.1: must be positive and finite",
    "GradientFlow(theory, 0.1, [1e-3])": "tolerance [0.001]: must be positive and finite",
    "theory.pullback(jnp.sin)": "PjitFunction: not a flow, which has methods forward, inverse",
    "Independence(theory, None)": "NoneType: not a flow, which has methods forward, inverse",
    "gauge_flow(key, vector.space, NCP())": "flow: needs 2D U(1) links, not fields of shape [2]",
    "multiscale_flow(vector.space)": "flow: needs 2D U(1) links, not fields of shape [2]",
    "vector_flow(key, space)": "vector flow: needs R^n, not 2D U(1) links on 4x4",
    "gauge.forward(Links(SUN(2), (4, 4)).origin())": "field of shape [2, 4, 4, 2, 2]: 2D U(1)",
    "pair.forward(Links(U1(), (4, 4, 4)).origin())": "field of shape [3, 4, 4, 4]: 2D U(1) links",
    "gauge.inverse(jnp.zeros(8))": "flow: needs 2D links, not a field of shape [8]",
    "multiscale_flow(space).forward(jnp.zeros((3, 4, 4, 4)))": "field of shape [3, 4, 4, 4]: 2D",
    "ExactU1(vector)": "exact sampler: needs 2D U(1), not 2D Gaussian",
    "Winding(vector)": "winding: needs 2D U(1), not 2D Gaussian",
    "HMC(space, 0.1, 2)": "HMC: needs a theory, not Links",
    "HMC(theory, 0.1, 2, 'omelian')": "integrator 'omelian': choose leapfrog, omelyan",
    "HMC(theory, 0.1, 2, 5)": "integrator 5: choose leapfrog, omelyan, forest_ruth, omf4",
    "HMC(theory, 0.1, 2, ['omelyan'])": "integrator ['omelyan']: choose leapfrog, omelyan",
    "HMC(theory, '0.1', 2)": "step_size 0.1: must be a positive, finite number",
    "HMC(theory, 0.1, 2.5)": "n_steps 2.5: must be a whole number, at least 1",
    "Heatbath(space)": "heatbath: needs a theory, not Links",
    "Heatbath(theory, 1.5)": "overrelaxation 1.5: must be a whole number, at least 0",
    "Heatbath(theory, '1')": "overrelaxation '1': must be a whole number, at least 0",
    "read_configuration('a', lattice=4)": "a: lattice 4: give positive whole numbers, such as",
    "read_configuration('a', lattice='44')": "a: lattice '44': give positive whole numbers",
    "read_configuration('a', group='SU3')": "a: group 'SU3': give a group, such as U1() or SUN(3)",
    "write_configuration('a.h5', [1, [2]])": "a.h5: setting an array element with a sequence",
    "write_configuration('a.h5', 'x')": "a.h5: array of <U1, shape []: links are complex",
    "write_configuration('a.h5', space.origin(), ['hdf5'])": "a.h5: format ['hdf5']: choose one of",
    "write_configuration('a.h5', space.origin(), precision=[])": "a.h5: precision []: choose",
    "hmc.with_steps(0.1, 0)": "n_steps 0: must be a whole number, at least 1",
    "sample(theory, key)": "sample: needs a sampler, not Wilson",
    "sample(hmc, 7)": "key 7: give a random key, such as jax.random.key(1)",
    "sample(hmc, key, chains=0)": "chains 0: must be a whole number, at least 1",
    "sample(hmc, key, draws=2.5)": "draws 2.5: must be a whole number, at least 1",
    "sample(hmc, key, warmup=-1)": "warmup -1: must be a whole number, at least 0",
    "sample(hmc, key, chunk=0)": "chunk 0: must be a whole number, at least 1",
    "theory.at(-1.0)": "beta -1.0: must be finite and not negative",
    "theory.at([1.0, 2.0])": "beta [1.0, 2.0]: must be finite and not negative",
    "Tempered(vector, float('nan'))": "beta nan: must be finite and not negative",
    "Measurement(names='plaquette')": "names 'plaquette': give a tuple of names",
    "Measurement(more=('wilson_loop',))": "more ('wilson_loop',): give a tuple of observables",
    "Measurement(more=(WilsonLoop(1, 1), WilsonLoop(2, 2)))": "more: wilson_loop, wilson_loop: two",
    "sample(hmc, key, measurement=Measurement(names=('spin',)))": "names: 2D U(1) has no spin",
    "hmc.state([0.0] * 32)": "field of shape [32]: 2D U(1) links on 4x4 have shape [2, 4, 4]",
    "hmc.state(space.origin().astype(int))": "field of type int64: 2D U(1) links on 4x4 have type",
}


@pytest.fixture(scope="module")
def said() -> dict[str, str]:
    """Each mistake, and the type and text of its exception."""
    lines = [HEADER, "said = {}"]
    for mistake in MISTAKES:
        lines += ["try:", f"    {mistake}", "except Exception as error:"]
        lines += ["    kind = ValueError if isinstance(error, ValueError) else type(error)"]
        lines += [f"    said[{mistake!r}] = kind.__name__ + ': ' + str(error)"]
    code = "\n".join([*lines, "print(json.dumps(said))"])
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return json.loads(output.stdout)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_in_one_line(mistake: str, said: dict[str, str]):
    assert said.get(mistake, "nothing").startswith(f"ValueError: {MISTAKES[mistake]}")
    assert "\n" not in said[mistake]
