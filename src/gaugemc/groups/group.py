"""What a link is: the interface that every gauge group implements."""

import abc
from collections.abc import Sequence
from typing import Any

import equinox as eqx
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Key, Shaped


def _checked_native(native: object) -> bool:
    if not isinstance(native, bool):
        raise ValueError(f"native {native!r}: must be True or False")
    return native


def native_field() -> Any:
    """The field `native` of a group: whether compiled kernels run where there are any."""
    return eqx.field(static=True, default=True, converter=_checked_native)


class Group(eqx.Module):
    """A compact group G, the values that a link may take.

    Elements and algebra elements are arrays whose trailing axes are `link_shape`. All leading axes
    are batch axes. The algebra is spanned by generators T_a. An element v = v_a T_a has real
    components v_a, which are unit normals in the momentum distribution of HMC. Derivatives are
    left derivatives: (df)_a = d/de f(exp(e T_a) u) at e = 0. They are returned as the algebra
    element (df)_a T_a, so that `exp(-dt * force)` moves downhill.
    """

    @property
    @abc.abstractmethod
    def name(self) -> str:
        """The group's name in the field, e.g. "SU(3)"."""

    @property
    @abc.abstractmethod
    def link_shape(self) -> tuple[int, ...]:
        """Trailing axes of one link: () for angles, (N, N) for matrices."""

    @property
    @abc.abstractmethod
    def log_volume(self) -> float:
        """Log of the group's volume in the measure that densities refer to."""

    @property
    @abc.abstractmethod
    def unit_beta(self) -> float:
        """The beta at which -beta trace(exp(v)) is a constant plus v_a v_a / 2 for small v."""

    @abc.abstractmethod
    def dtype(self, real: DTypeLike) -> DTypeLike:
        """Type of a link when the physics runs in the real type `real` (float32 or float64)."""

    @abc.abstractmethod
    def identity(self, shape: tuple[int, ...], dtype: DTypeLike) -> Shaped[Array, "..."]:
        """The identity at each of `shape` links; returns shape + link_shape."""

    @abc.abstractmethod
    def random(
        self, key: Key[Array, ""], shape: tuple[int, ...], dtype: DTypeLike
    ) -> Shaped[Array, "..."]:
        """Haar-random elements; returns shape + link_shape."""

    @abc.abstractmethod
    def random_algebra(
        self, key: Key[Array, ""], shape: tuple[int, ...], dtype: DTypeLike
    ) -> Shaped[Array, "..."]:
        """Algebra elements with unit normal components; returns shape + link_shape."""

    @abc.abstractmethod
    def multiply(self, a: Shaped[Array, "..."], b: Shaped[Array, "..."]) -> Shaped[Array, "..."]:
        """The product a b."""

    @abc.abstractmethod
    def adjoint(self, a: Shaped[Array, "..."]) -> Shaped[Array, "..."]:
        """The inverse of a."""

    @abc.abstractmethod
    def transport(self, u: Shaped[Array, "..."], v: Shaped[Array, "..."]) -> Shaped[Array, "..."]:
        """The algebra element u^-1 v u: v, carried along the link u."""

    @abc.abstractmethod
    def exp(self, v: Shaped[Array, "..."], largest: float | None = None) -> Shaped[Array, "..."]:
        """The group element exp(v). `largest` bounds the eigenvalues of v, where a bound is known.

        With a bound the program is smaller, for it need not find out how large v is.
        """

    @abc.abstractmethod
    def tangent(self, u: Shaped[Array, "..."], v: Shaped[Array, "..."]) -> Shaped[Array, "..."]:
        """The derivative of exp(t v) u at t = 0: how the entries of u change along v."""

    @abc.abstractmethod
    def project(self, u: Shaped[Array, "..."]) -> Shaped[Array, "..."]:
        """The group element nearest to u: removes what rounding has accumulated."""

    @abc.abstractmethod
    def trace(self, u: Shaped[Array, "..."]) -> Shaped[Array, "..."]:
        """Re tr(u) / N, which is 1 at the identity; drops the axes of link_shape."""

    @abc.abstractmethod
    def angle(self, u: Shaped[Array, "..."]) -> Shaped[Array, "..."]:
        """arg det(u) in [-pi, pi), the Abelian flux of a loop; drops the axes of link_shape."""

    @abc.abstractmethod
    def trace_gradient(self, u: Shaped[Array, "..."]) -> Shaped[Array, "..."]:
        """Left derivative of -trace(u), an algebra element."""

    @abc.abstractmethod
    def left_derivative(
        self, u: Shaped[Array, "..."], gradient: Shaped[Array, "..."]
    ) -> Shaped[Array, "..."]:
        """Left derivative of f at u, from jax.grad(f)(u), an algebra element."""

    @abc.abstractmethod
    def kinetic_energy(self, v: Shaped[Array, "..."]) -> Shaped[Array, "..."]:
        """Half the sum of squares of v's components; drops the axes of link_shape."""

    @abc.abstractmethod
    def sum_staples(
        self, staples: Sequence[Shaped[Array, "..."]], coupling: Float[Array, ""]
    ) -> Shaped[Array, "..."]:
        """A = coupling * sum_i staple_i, a complex number (for angles) or a complex matrix."""

    @abc.abstractmethod
    def staple_gradient(
        self, u: Shaped[Array, "..."], staples: Shaped[Array, "..."]
    ) -> Shaped[Array, "..."]:
        """Left derivative of -Re tr(u A) / N, an algebra element; A comes from `sum_staples`."""

    @abc.abstractmethod
    def staple_hessian(
        self, u: Shaped[Array, "..."], staples: Shaped[Array, "..."]
    ) -> Float[Array, "... component component"]:
        """Left derivatives of the components of `staple_gradient`, [..., a, b] along T_b."""

    @abc.abstractmethod
    def components(self, v: Shaped[Array, "..."]) -> Float[Array, "... component"]:
        """The real components v_a of algebra elements."""

    @abc.abstractmethod
    def element(self, components: Float[Array, "... component"]) -> Shaped[Array, "..."]:
        """The algebra elements v_a T_a."""

    def expanded(self, numbers: Any) -> Any:
        """Numbers of links with the axes of a link: they broadcast against links and elements."""
        return numbers.reshape(*numbers.shape, *(1 for _ in self.link_shape))

    def kernels(self, dtype: DTypeLike) -> frozenset[str]:
        """The names of the compiled kernels for links of this group and type.

        They are functions of `gaugemc.kernels.native`, on the default device.
        """
        return frozenset()

    def without_kernels(self) -> "Group":
        """The same group, in XLA's code alone."""
        return self

    @property
    def has_heatbath(self) -> bool:
        """Whether `draw_link` and `reflect_link` are there for this group."""
        return False

    def draw_link(
        self, key: Key[Array, ""], u: Shaped[Array, "..."], staples: Shaped[Array, "..."]
    ) -> Shaped[Array, "..."]:
        """The local heatbath: a random link that leaves the density exp(Re tr(u A) / N) invariant.

        A comes from `sum_staples`. The new link may depend on u.
        """
        raise NotImplementedError(f"{self.name} has no heatbath")

    def reflect_link(
        self, u: Shaped[Array, "..."], staples: Shaped[Array, "..."]
    ) -> Shaped[Array, "..."]:
        """Overrelaxation: a link far from u with the same Re tr(u A).

        The map keeps the group's measure.
        """
        raise NotImplementedError(f"{self.name} has no overrelaxation")
