// Wilson's gauge action on the sites of all lanes.
#pragma once
#include "lattice.h"

namespace gaugemc {

// The sum of the staples of a link: U_mu times it is the sum of the plaquettes of the link.
template <int N, class T>
inline Matrix<N, T> staples_of_link(const Lattice<N, T>& lattice, const Matrix<N, T>* links,
                                    int mu, int site) {
  const int d = lattice.dimensions;
  auto field = [&](int direction) { return links + direction * int64_t(lattice.sites); };
  const Place here{site, 0}, ahead = lattice.neighbour(here, mu);
  Matrix<N, T> staples{}, spare_a, spare_b;
  for (int nu = 0; nu < d; nu++) {
    if (nu == mu) continue;
    {  // U_nu(n + mu) (U_nu(n) U_mu(n + nu))^dagger
      const auto& side = lattice.at(field(mu), lattice.neighbour(here, nu), spare_a);
      const auto corner = product<As::kItself, As::kItself>(field(nu)[site], side);
      const auto& far = lattice.at(field(nu), ahead, spare_b);
      add_product<As::kItself, As::kDagger>(staples, far, corner);
    }
    {  // (U_mu(m) U_nu(m + mu))^dagger U_nu(m), m = n - nu
      const Place below = lattice.neighbour(here, d + nu);
      const auto& side = lattice.at(field(mu), below, spare_a);
      const auto& far = lattice.at(field(nu), lattice.neighbour(below, mu), spare_b);
      const auto corner = product<As::kItself, As::kItself>(side, far);
      const auto& near = lattice.at(field(nu), below, spare_a);
      add_product<As::kDagger, As::kItself>(staples, corner, near);
    }
  }
  return staples;
}

// The two ways around a plaquette to its far corner: by mu first, and by nu first.
template <int N, class T>
struct Ways {
  Matrix<N, T> there, back;
};

template <int N, class T>
inline Ways<N, T> ways(const Lattice<N, T>& lattice, const Matrix<N, T>* links, int mu, int nu,
                       int site) {
  auto field = [&](int direction) { return links + direction * int64_t(lattice.sites); };
  const Place here{site, 0};
  Matrix<N, T> spare;
  const auto& after_mu = lattice.at(field(nu), lattice.neighbour(here, mu), spare);
  const auto there = product<As::kItself, As::kItself>(field(mu)[site], after_mu);
  const auto& after_nu = lattice.at(field(mu), lattice.neighbour(here, nu), spare);
  return {there, product<As::kItself, As::kItself>(field(nu)[site], after_nu)};
}

// The plaquette of a plane at a site.
template <int N, class T>
inline Matrix<N, T> plaquette(const Lattice<N, T>& lattice, const Matrix<N, T>* links, int mu,
                              int nu, int site) {
  const Ways<N, T> w = ways(lattice, links, mu, nu, site);
  return product<As::kItself, As::kDagger>(w.there, w.back);
}

// The sum of Re tr P over the plaquettes of a site.
template <int N, class T>
inline Lanes<T> plaquette_traces(const Lattice<N, T>& lattice, const Matrix<N, T>* links,
                                 int site) {
  Lanes<T> sum{};
  for (int mu = 0; mu < lattice.dimensions; mu++)
    for (int nu = mu + 1; nu < lattice.dimensions; nu++) {
      const Ways<N, T> w = ways(lattice, links, mu, nu, site);
      sum += real_trace(w.there, w.back);
    }
  return sum;
}

}  // namespace gaugemc
