// Rectangles of 1 x 2 plaquettes on the sites of all lanes.
#pragma once
#include "lattice.h"

namespace gaugemc {

// The sum of the rectangles' staples: a plaquette's staple with a detour of one of its three links
// around the next plaquette. The path of each is summed, from n to n + mu, and then turned around.
template <int N, class T>
inline Matrix<N, T> rectangle_staples_of_link(const Lattice<N, T>& lattice,
                                              const Matrix<N, T>* links, int mu, int site) {
  const int d = lattice.dimensions;
  auto link = [&](int direction, Place place, Matrix<N, T>& spare) -> const Matrix<N, T>& {
    return lattice.at(links + direction * int64_t(lattice.sites), place, spare);
  };
  Matrix<N, T> spare_a, spare_b, spare_c;
  // From a place to the next along a: b forth, a, b back, or b backwards first.
  auto forth = [&](int a, int b, Place from) {
    const auto corner = product<As::kItself, As::kItself>(
        link(b, from, spare_a), link(a, lattice.neighbour(from, b), spare_b));
    const auto& back = link(b, lattice.neighbour(from, a), spare_a);
    return product<As::kItself, As::kDagger>(corner, back);
  };
  auto behind = [&](int a, int b, Place from) {
    from = lattice.neighbour(from, d + b);
    const auto corner = product<As::kItself, As::kItself>(
        link(a, from, spare_a), link(b, lattice.neighbour(from, a), spare_b));
    return product<As::kDagger, As::kItself>(link(b, from, spare_a), corner);
  };
  const Place here{site, 0}, ahead = lattice.neighbour(here, mu);
  Matrix<N, T> staples{};
  for (int nu = 0; nu < d; nu++) {
    if (nu == mu) continue;
    {
      const Place above = lattice.neighbour(here, nu);
      const auto& near = link(nu, here, spare_a);
      const auto& side = link(mu, above, spare_b);
      const auto corner = product<As::kItself, As::kItself>(near, side);
      add_product<As::kItself, As::kDagger>(staples, forth(nu, mu, ahead), corner);
      auto bent = product<As::kItself, As::kItself>(link(nu, here, spare_c), forth(mu, nu, above));
      const auto left = behind(nu, mu, here);
      add_product<As::kItself, As::kItself>(bent, left, link(mu, above, spare_b));
      add_product<As::kItself, As::kDagger>(staples, link(nu, ahead, spare_c), bent);
    }
    {
      const Place below = lattice.neighbour(here, d + nu), after = lattice.neighbour(below, mu);
      auto bent = product<As::kItself, As::kItself>(behind(mu, nu, below), link(nu, after, spare_c));
      const auto right = forth(nu, mu, after);
      add_product<As::kItself, As::kItself>(bent, link(mu, below, spare_c), right);
      add_product<As::kDagger, As::kItself>(staples, bent, link(nu, below, spare_c));
      const auto left = behind(nu, mu, below);
      const auto corner = product<As::kItself, As::kItself>(link(mu, below, spare_a),
                                                            link(nu, after, spare_b));
      add_product<As::kDagger, As::kItself>(staples, corner, left);
    }
  }
  return staples;
}

// The sum of Re tr R over the rectangles of a site. Their long side is along mu.
template <int N, class T>
inline Lanes<T> rectangle_traces(const Lattice<N, T>& lattice, const Matrix<N, T>* links,
                                 int site) {
  const Place here{site, 0};
  Matrix<N, T> spare_a, spare_b;
  Lanes<T> sum{};
  for (int mu = 0; mu < lattice.dimensions; mu++) {
    auto line = [&](Place from) {
      const auto* along = links + mu * int64_t(lattice.sites);
      return product<As::kItself, As::kItself>(
          lattice.at(along, from, spare_a),
          lattice.at(along, lattice.neighbour(from, mu), spare_b));
    };
    const Place end = lattice.neighbour(lattice.neighbour(here, mu), mu);
    for (int nu = 0; nu < lattice.dimensions; nu++) {
      if (nu == mu) continue;
      const auto* across = links + nu * int64_t(lattice.sites);
      const auto there =
          product<As::kItself, As::kItself>(line(here), lattice.at(across, end, spare_a));
      const auto back = product<As::kItself, As::kItself>(
          across[site], line(lattice.neighbour(here, nu)));
      sum += real_trace(there, back);
    }
  }
  return sum;
}

}  // namespace gaugemc
