// Sweeps of the masked stout flow (flows/stout): each layer moves the links of a direction on the
// sites of a parity.
#pragma once
#include "batch.h"
#include "jacobian.h"
#include "projection.h"

namespace gaugemc {

// A site of all lanes, and which of the lanes are of a parity.
template <class T>
struct Moving {
  int site;
  Integers<T> mask;
};

// The links that a layer moves.
template <class T>
struct Layer {
  int mu, number;  // the layer's place in its sweep
  std::vector<Moving<T>> places;
};

template <int N, class T>
std::vector<Layer<T>> layers_of(const Lattice<N, T>& lattice, const std::vector<int>& extents) {
  auto parity = [&](int64_t number) {
    int sum = 0;
    for (size_t mu = extents.size(); mu-- > 0; number /= extents[mu]) sum += number % extents[mu];
    return sum % 2;
  };
  std::vector<Layer<T>> layers;
  for (int number = 0; number < 2 * lattice.dimensions; number++) {
    layers.push_back({number / 2, number, {}});
    for (int site = 0; site < lattice.sites; site++) {
      Moving<T> place{site, {}};
      for (int l = 0; l < kLanes<T>; l++)
        place.mask[l] = -(parity(lattice.number(l, site)) == number % 2);
      if (any<T>(place.mask)) layers.back().places.push_back(place);
    }
  }
  return layers;
}

// One staple of a link in a plane: U_nu(n + mu) (U_nu(n) U_mu(n + nu))^dagger above, and below
// (U_mu(m) U_nu(m + mu))^dagger U_nu(m), m = n - nu.
template <int N, class T>
struct Staple {
  int nu;
  bool above;
  Lanes<T> rho;
  Place near, side, far;
  Matrix<N, T> corner, whole;
};

// Calls with each of the staples of a link. `rho` is of each plane.
template <int N, class T, class Use>
inline void each_staple(const Lattice<N, T>& lattice, const Matrix<N, T>* links, int mu, int site,
                        const Lanes<T>* rho, const Use& use) {
  auto link = [&](int direction, Place place, Matrix<N, T>& spare) -> const Matrix<N, T>& {
    return lattice.at(links + direction * int64_t(lattice.sites), place, spare);
  };
  const Place here{site, 0};
  Matrix<N, T> spare_a, spare_b;
  for (int nu = 0; nu < lattice.dimensions; nu++) {
    if (nu == mu) continue;
    Staple<N, T> s;
    s.nu = nu, s.rho = rho[nu < mu ? nu : nu - 1];
    s.above = true, s.near = here;
    s.side = lattice.neighbour(here, nu), s.far = lattice.neighbour(here, mu);
    s.corner = product<As::kItself, As::kItself>(link(nu, s.near, spare_a),
                                                 link(mu, s.side, spare_b));
    s.whole = product<As::kItself, As::kDagger>(link(nu, s.far, spare_a), s.corner);
    use(s);
    s.above = false, s.near = s.side = lattice.neighbour(here, lattice.dimensions + nu);
    s.far = lattice.neighbour(s.near, mu);
    s.corner = product<As::kItself, As::kItself>(link(mu, s.side, spare_a),
                                                 link(nu, s.far, spare_b));
    s.whole = product<As::kDagger, As::kItself>(s.corner, link(nu, s.near, spare_a));
    use(s);
  }
}

// The algebra element of the force where an action changes by Re tr(X c) along du = X u.
template <int N, class T>
inline Algebra<N, T> force_of(const Matrix<N, T>& c) {
  return anti_hermitian_traceless(c, Lanes<T>{} - T(0.5));
}

// u^dagger a u.
template <int N, class T>
inline Algebra<N, T> transported(const Matrix<N, T>& u, const Algebra<N, T>& a) {
  return anti_hermitian_traceless(
      product<As::kDagger, As::kItself>(u, product<As::kItself, As::kItself>(matrix_of(a), u)),
      Lanes<T>{} + T(1));
}

// Adds the forces on the three links of a staple, where the action changes by Re tr(c d whole).
template <int N, class T>
inline void spread(const Lattice<N, T>& lattice, const Matrix<N, T>* links, int mu,
                   const Staple<N, T>& s, const Matrix<N, T>& c, Algebra<N, T>* forces) {
  Matrix<N, T> spare_a, spare_b;
  auto link = [&](int direction, Place place, Matrix<N, T>& spare) -> const Matrix<N, T>& {
    return lattice.at(links + direction * int64_t(lattice.sites), place, spare);
  };
  auto add = [&](int direction, Place place, T sign, const Algebra<N, T>& a) {
    lattice.add_at(forces + direction * int64_t(lattice.sites), place, sign, a);
  };
  const auto& near = link(s.nu, s.near, spare_a);
  if (s.above) {
    const auto by_near = force_of(product<As::kItself, As::kItself>(c, s.whole));
    add(s.nu, s.near, -1, by_near);
    add(mu, s.side, -1, transported(near, by_near));
    add(s.nu, s.far, 1, force_of(product<As::kItself, As::kItself>(s.whole, c)));
  } else {
    const auto bent = product<As::kItself, As::kItself>(near, c);
    const auto by_near = force_of(product<As::kItself, As::kDagger>(bent, s.corner));
    add(s.nu, s.near, 1, by_near);
    add(mu, s.side, -1, by_near);
    const auto long_way = product<As::kItself, As::kDagger>(bent, link(s.nu, s.far, spare_a));
    add(s.nu, s.far, -1,
        force_of(product<As::kDagger, As::kItself>(link(mu, s.side, spare_b), long_way)));
  }
}

}  // namespace gaugemc
