"""A generalised leapfrog to train, from its options."""

import math
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Key, Shaped

from gaugemc.samplers.hmc.integrator import LEAPFROG, Integrator, integrator_of
from gaugemc.samplers.l2hmc.flux_series import FluxSeries
from gaugemc.samplers.l2hmc.generalised_leapfrog import GeneralisedLeapfrog
from gaugemc.samplers.l2hmc.group_networks import (
    PlaneFunction,
    PlaquetteMomentum,
    StaplePosition,
)
from gaugemc.samplers.l2hmc.loop_couplings import LoopCouplings
from gaugemc.samplers.l2hmc.loop_networks import LoopForce, LoopMomentum, LoopPosition
from gaugemc.samplers.l2hmc.masks import half_masks, line_masks, subset_masks
from gaugemc.samplers.l2hmc.network import MomentumNetwork, PositionNetwork
from gaugemc.samplers.l2hmc.networks import FieldFunction, FieldMomentum, FieldPosition
from gaugemc.spaces import Links, Space, is_u1_2d

NETWORKS: dict[str, tuple[tuple[int, ...], int]] = {
    "dense": ((16, 16), 1),
    "conv": ((16, 16), 3),
    "gauge": ((4,), 1),
    "force": ((4,), 1),
    "series": ((), 1),
}
"""Hidden channels and kernel size of each kind of network, unless they are given."""


def trainable_leapfrog(
    key: Key[Array, ""],
    space: Space,
    *,
    n_layers: int = 4,
    step_size: float = 0.1,
    network: str = "dense",
    hidden: Sequence[int] | None = None,
    kernel_size: int | None = None,
    bound: float = 4.0,
    harmonics: int = 8,
    rectangles: bool = False,
    integrator: Integrator | str = LEAPFROG,
    separate: bool = True,
    x_networks: int = 2,
    train_step_sizes: bool = True,
    keep_length: bool = False,
    masks: Shaped[Array, "layer ..."] | None = None,
    compute_dtype: DTypeLike | None = None,
) -> GeneralisedLeapfrog:
    """A generalised leapfrog that is the ordinary leapfrog, or another integrator, until trained.

    Args:
        key: the source of the networks' weights and of random masks.
        space: R^n, or links of any group; dense and convolutional networks read angles alone.
        n_layers: leapfrog steps of one pass.
        step_size: of every layer, to begin with; the mean, where the integrator's drifts differ.
        network: "dense"; "conv", circular convolutions; "gauge", gauge-equivariant functions of
            loops; or "force", the gauge-equivariant force of the momentum update alone, without
            scales and position networks: a function of plaquettes in two-dimensional U(1), trained
            couplings of loops otherwise; or "series", in two-dimensional U(1): the same as "force",
            with a sum of sines in place of the network. All but "dense" hold no lattice size: see
            `on_lattice`.
        hidden: channels of the hidden layers; by default the channels in `NETWORKS`.
        kernel_size: odd extent of the convolutions; by default the extent in `NETWORKS`.
        bound: bound of |s| and |q|.
        harmonics: the sines of "series".
        rectangles: "force" has a force of rectangles too, which is compiled for SU(N) alone; not in
            two-dimensional U(1), where the force is any function of the plaquette.
        integrator: what the leapfrog is before training. All but the ordinary leapfrog need the
            trained couplings of loops, one set for each layer, and whole steps of the integrator.
        separate: networks of each layer's own, or the same for all.
        x_networks: 2, one for each half of the position update, or 1; "force" has none.
        train_step_sizes: whether step sizes are trained.
        keep_length: whether their sum stays n_layers * step_size, half the length of a palindrome.
        masks: frozen components, (n_layers, *field shape). By default random halves, or lines for
            gauge-equivariant networks.
        compute_dtype: type of the arithmetic inside networks; by default the type of the space.

    Raises:
        ValueError: an option is out of range, or does not fit the space.
    """
    if n_layers < 1:
        raise ValueError(f"n_leapfrogs {n_layers}: L2HMC needs at least one")
    if not 0 < step_size < math.inf:
        raise ValueError(f"step_size {step_size}: must be positive")
    if harmonics < 1:
        raise ValueError(f"harmonics {harmonics}: must be at least 1")
    if network not in NETWORKS:
        raise ValueError(f"network {network}: choose {', '.join(NETWORKS)}")
    if network in ("dense", "conv") and isinstance(space, Links) and space.group.link_shape:
        raise ValueError(f"network {network}: knows no {space.group.name}; choose force or gauge")
    integrator = integrator_of(integrator)
    drifts, factors = _layers_of(integrator, n_layers, step_size)
    network_key, mask_key = jax.random.split(key)
    usual_hidden, usual_size = NETWORKS[network]
    size = usual_size if kernel_size is None else kernel_size
    hidden = usual_hidden if hidden is None else hidden
    options: dict[str, Any] = {"hidden": hidden, "compute_dtype": compute_dtype}
    if network not in ("force", "series"):
        options["bound"] = bound

    def networks(key: Key[Array, ""]) -> tuple[MomentumNetwork, tuple[PositionNetwork, ...]]:
        if network == "series":
            if not is_u1_2d(space):
                raise ValueError("network series: for two-dimensional U(1); choose force")
            zeros = jnp.zeros(harmonics + 1, space.real_dtype)
            return FluxSeries(zeros[1:], zeros[0]), ()
        v_key, *x_keys = jax.random.split(key, 1 + x_networks)
        if network in ("gauge", "force"):
            if not isinstance(space, Links):
                raise ValueError("gauge-equivariant networks of L2HMC: for links only")
            if network == "force" and not is_u1_2d(space):
                return LoopCouplings(jnp.zeros(1 + rectangles, space.real_dtype)), ()
            if network == "force":
                return LoopForce(v_key, space, kernel_size=size, **options), ()
            if not is_u1_2d(space):
                options["kernel_size"] = size
                of_loops = [PlaneFunction(k, space, 2, **options) for k in x_keys]
                momentum = PlaquetteMomentum(PlaneFunction(v_key, space, 3, **options))
                return momentum, tuple(StaplePosition(f) for f in of_loops)
            positions = [LoopPosition(k, space, kernel_size=size, **options) for k in x_keys]
            return LoopMomentum(v_key, space, kernel_size=size, **options), tuple(positions)
        kernel = size if network == "conv" else None
        functions = [
            FieldFunction(k, space, kernel_size=kernel, **options) for k in (v_key, *x_keys)
        ]
        return FieldMomentum(functions[0]), tuple(FieldPosition(f) for f in functions[1:])

    # Compiled: one by one, the many small operations would take seconds.
    if separate:
        keys = jax.random.split(network_key, n_layers)
        momentum, positions = eqx.filter_jit(eqx.filter_vmap(networks))(keys)
    else:
        momentum, positions = eqx.filter_jit(networks)(network_key)
    if integrator is not LEAPFROG:
        if not (isinstance(momentum, LoopCouplings) and separate):
            raise ValueError(
                f"integrator {integrator.name}: needs the couplings of network force in each layer,"
                " not in two-dimensional U(1)"
            )
        weights = momentum.weights.at[:, 0].set(jnp.asarray(factors - 1, space.real_dtype))
        momentum = eqx.tree_at(lambda m: m.weights, momentum, weights)
    turn = None
    if isinstance(momentum, LoopCouplings) and separate:
        turn = LoopCouplings(momentum.weights[0])
    if masks is None:
        masks = default_masks(mask_key, space, n_layers, network)
    leapfrog = GeneralisedLeapfrog(
        momentum,
        positions,
        masks,
        jnp.log(jnp.abs(drifts)),
        separate,
        train_step_sizes,
        None if min(drifts) > 0 else tuple(int(sign) for sign in np.sign(drifts)),
        turn,
        n_layers * step_size if keep_length else None,
    )
    leapfrog.check_space(space)
    return leapfrog


def _layers_of(
    integrator: Integrator, n_layers: int, step_size: float
) -> tuple[Float[np.ndarray, " layer"], Float[np.ndarray, " layer"]]:
    """The drifts of the layers that make whole steps of an integrator, and the factors 1 + w_0 of
    the kicks before them."""
    stages = integrator.forces_per_step
    if n_layers % stages:
        raise ValueError(
            f"n_leapfrogs {n_layers}: {integrator.name} needs a multiple of {stages}, its forces"
        )
    drifts, kicks = np.asarray(integrator.drifts), np.asarray(integrator.kicks[:-1])
    kicks[0] += integrator.kicks[-1]  # two steps share the kick between them
    drifts, kicks = (np.tile(a, n_layers // stages) * stages * step_size for a in (drifts, kicks))
    return drifts, 2 * kicks / (drifts + np.roll(drifts, 1))


def default_masks(
    key: Key[Array, ""], space: Space, n_layers: int, network: str
) -> Shaped[Array, "layer ..."]:
    """Lines on lattices of links for networks that know no place, otherwise random halves.

    Subsets of links for the networks of loops in more than two dimensions and on SU(N).
    """
    if isinstance(space, Links) and network == "gauge" and not is_u1_2d(space):
        return subset_masks(space, n_layers)
    if isinstance(space, Links) and network != "dense":
        return line_masks(space, n_layers)
    return half_masks(key, space, n_layers)


def holds_lattice_size(leapfrog: GeneralisedLeapfrog) -> bool:
    """Whether the leapfrog has dense networks, which fit one lattice alone."""
    momentum = leapfrog.momentum
    return isinstance(momentum, FieldMomentum) and momentum.function.perceptron.dims == 0


def on_lattice(leapfrog: GeneralisedLeapfrog, space: Links) -> GeneralisedLeapfrog:
    """The same trained leapfrog on another lattice, there with masks of the same kind.

    Raises:
        ValueError: the networks are dense, and were made for another lattice.
    """
    if leapfrog.masks.shape[1:] == space.field_shape:
        return leapfrog
    if holds_lattice_size(leapfrog):
        raise ValueError("dense networks of L2HMC: for the lattice that they were trained on only")
    made = line_masks if leapfrog.masks.dtype == bool else subset_masks
    masks = made(space, leapfrog.n_layers)
    return eqx.tree_at(lambda g: g.masks, leapfrog, masks)
