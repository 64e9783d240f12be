"""Derivatives on any space, in the coordinates of its momenta.

A space is known by `move`, the exponential map, and by its momenta, whose scalar product is that of
`kinetic_energy`. Momenta span the tangent space at every point, with the same lengths and angles.
"""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key, Shaped

from gaugemc.arrays import Field, Scalar
from gaugemc.spaces import Euclidean, Links, Space

Move = Callable[[Field, Field, Scalar], Field]

_COLUMNS = 256
"""Columns of a Jacobian that are computed at once."""
_STEPS = (1e-3, 1e-4)


def real(field: Field) -> Float[Array, " component"]:
    """The real and the imaginary parts of a field as one vector."""
    field = jnp.ravel(field)
    if jnp.iscomplexobj(field):
        return jnp.concatenate([field.real, field.imag])
    return field


def of_real(vector: Float[Array, " component"], at: Field) -> Field:
    """A field like `at` of which `real` makes the vector."""
    if jnp.iscomplexobj(at):
        parts = vector.reshape(2, *at.shape)
        return jax.lax.complex(parts[0], parts[1])
    return vector.reshape(at.shape)


def basis(space: Space) -> Shaped[np.ndarray, "dimension ..."]:
    """Momenta that span the tangent space, one for each of its dimensions.

    Of links, those of one link are taken for every link. Of a space that is not known here, the
    span of random momenta is taken.
    """
    if isinstance(space, Euclidean):
        return np.eye(int(np.prod(space.shape)), dtype=space.dtype).reshape(-1, *space.shape)
    if isinstance(space, Links):
        momenta = np.einsum("lm,a...->lam...", np.eye(space.n_links), _of_link(space))
        return momenta.reshape(-1, *space.field_shape).astype(space.dtype)
    one = space.random_momentum(jax.random.key(0))
    keys = jax.random.split(jax.random.key(0), 2 * one.size + 4)
    return span(np.asarray(jax.vmap(space.random_momentum)(keys)))


def _of_link(space: Links) -> Shaped[np.ndarray, "dimension ..."]:
    count = 2 * int(np.prod(space.group.link_shape)) + 4
    drawn = space.group.random_algebra(jax.random.key(0), (count,), space.dtype)
    return span(np.asarray(drawn))


def dimension(space: Space) -> int:
    """How many momenta a basis has, without the memory of the basis of a large lattice."""
    return space.n_links * len(_of_link(space)) if isinstance(space, Links) else len(basis(space))


def span(vectors: Shaped[np.ndarray, "count ..."]) -> Shaped[np.ndarray, "dimension ..."]:
    """Vectors of length 1 at right angles that span the same real space."""
    flat = vectors.reshape(len(vectors), -1)
    is_complex = np.iscomplexobj(vectors)
    parts = np.concatenate([np.real(flat), np.imag(flat)], 1) if is_complex else flat
    _, sizes, rows = np.linalg.svd(parts.astype(np.float64), full_matrices=False)
    rows = rows[sizes > 1e-4 * sizes[0]]
    if is_complex:
        half = flat.shape[1]
        rows = rows[:, :half] + 1j * rows[:, half:]
    return rows.astype(vectors.dtype).reshape(-1, *vectors.shape[1:])


def scalar_product(space: Space, a: Field, b: Field) -> Scalar:
    """The scalar product of two momenta, from their kinetic energies."""
    energy = space.kinetic_energy
    return (energy(a + b) - energy(a - b)) / 2


def log_det_error(
    map_of: Callable[[Field], tuple[Field, Scalar]],
    x: Field,
    momenta: Shaped[Array, "dimension ..."],
    move: Move,
) -> Scalar:
    """How far a map's log-det is from that of its autodiff Jacobian, relative to its size above 1.

    Args:
        map_of: the map, with the log of its Jacobian determinant.
        x: where.
        momenta: a basis of the tangent space.
        move: moves a point along one of them.
    """
    zero = jnp.zeros((), jnp.float64)

    def along(at: Field, image: Callable[[Field], Field]) -> Float[Array, "dimension component"]:
        def column(v: Field) -> Float[Array, " component"]:
            return jax.jvp(lambda e: real(image(move(at, v, e))), (zero,), (zero + 1,))[1]

        return jax.lax.map(column, momenta, batch_size=_COLUMNS)

    def pulled(covector: Float[Array, " component"]) -> Float[Array, " component"]:
        return jax.vjp(lambda part: real(map_of(of_real(part, at=x))[0]), real(x))[1](covector)[0]

    y, claimed = map_of(x)
    frame = along(y, lambda field: field)
    # Least squares: components of the image's derivatives in the frame of tangents there.
    try:
        moved = along(x, lambda field: map_of(field)[0])
        components = frame.astype(jnp.float64) @ moved.T.astype(jnp.float64)
    except TypeError:  # a map may have backward derivatives alone (`jax.custom_vjp`)
        rows = jax.lax.map(pulled, frame, batch_size=_COLUMNS)
        tangents = along(x, lambda field: field)
        components = rows.astype(jnp.float64) @ tangents.T.astype(jnp.float64)
    frame = frame.astype(jnp.float64)
    true = log_abs_det(components) - log_abs_det(frame @ frame.T)
    return jnp.abs(true - claimed) / jnp.maximum(1.0, jnp.abs(claimed))


def log_abs_det(matrix: Float[Array, "n n"]) -> Scalar:
    """log |det|."""
    return jnp.linalg.slogdet(matrix)[1]


@eqx.filter_jit
def gradient_error(
    space: Space,
    f: Callable[[Field], Scalar],
    gradient: Callable[[Field], Field],
    key: Key[Array, ""],
    points: int = 4,
) -> Scalar:
    """The largest difference of a gradient from finite differences along random momenta.

    Differences are central, of fourth order, and relative to the gradient's size above 1. Of two
    steps the better counts: functions vary over different lengths. Half of the points are near the
    ordered configuration, half are draws from the reference measure.
    """

    def error(key: Key[Array, ""]) -> Scalar:
        at_key, along_key, near_key = jax.random.split(key, 3)
        near = space.move(space.origin(), space.random_momentum(near_key), 0.3)
        v = space.random_momentum(along_key)
        return jnp.max(jax.lax.map(lambda x: at(x, v), jnp.stack([near, space.random(at_key)])))

    def at(x: Field, v: Field) -> Scalar:
        def slope(step: float) -> Scalar:
            steps = step * jnp.asarray([1.0, -1.0, 2.0, -2.0])
            values = jax.lax.map(lambda h: f(space.move(x, v, h)), steps)
            return (8 * (values[0] - values[1]) - (values[2] - values[3])) / (12 * step)

        g = gradient(x)
        size = jnp.maximum(1.0, jnp.sqrt(2 * space.kinetic_energy(g)))
        errors = [jnp.abs(slope(h) - scalar_product(space, g, v)) for h in _STEPS]
        return jnp.minimum(*errors) / size

    return jnp.max(jax.lax.map(error, jax.random.split(key, points)))
