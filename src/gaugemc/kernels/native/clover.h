// The field strength from the clover, and its products summed over a lattice.
#pragma once
#include "batch.h"
#include "wilson.h"

namespace gaugemc {

// q(n) + U(m)^dagger q(m) U(m), m = n - mu: a loop at n, and one carried along a link to n.
template <int N, class T>
inline Matrix<N, T> with_carried(const Lattice<N, T>& lattice, const Matrix<N, T>* links,
                                 const Matrix<N, T>* loops, int mu, int site) {
  const Place behind = lattice.neighbour({site, 0}, lattice.dimensions + mu);
  Matrix<N, T> spare_a, spare_b;
  const auto& link = lattice.at(links + mu * int64_t(lattice.sites), behind, spare_a);
  const auto& loop = lattice.at(loops, behind, spare_b);
  Matrix<N, T> sum = loops[site];
  add_product<As::kDagger, As::kItself>(sum, link, product<As::kItself, As::kItself>(loop, link));
  return sum;
}

// F_mu nu at every site: the mean of the four plaquettes around a site, projected on the algebra.
template <class B, class T = typename B::T>
std::unique_ptr<Algebra<B::N, T>[]> field_strength(const B& batch,
                                                   const Matrix<B::N, T>* links, int mu,
                                                   int nu) {
  using M = Matrix<B::N, T>;
  const auto& lattice = batch.lattice;
  const int sites = lattice.sites;
  std::unique_ptr<M[]> one(new M[sites]), two(new M[sites]);
  std::unique_ptr<Algebra<B::N, T>[]> f(new Algebra<B::N, T>[sites]);
  batch.each(sites, [&](int site) { one[site] = plaquette(lattice, links, mu, nu, site); });
  batch.each(sites, [&](int site) {
    two[site] = with_carried(lattice, links, one.get(), mu, site);
  });
  batch.each(sites, [&](int site) {
    const auto leaves = with_carried(lattice, links, two.get(), nu, site);
    f[site] = anti_hermitian_traceless(leaves, Lanes<T>{} + T(0.25));
  });
  return f;
}

}  // namespace gaugemc
