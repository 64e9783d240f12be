// The reverse pass of a trajectory's drifts and kicks.
//
// The scalar product of the algebra is <a, b> = -2 tr(a b), that of momenta. A cotangent c of a link
// u stands for the change <c, X> along du = X u.
#pragma once
#include "batch.h"

namespace gaugemc {

// a b - b a, twice the anti-Hermitian part of a b.
template <int N, class T>
inline Algebra<N, T> commutator(const Algebra<N, T>& a, const Algebra<N, T>& b) {
  return anti_hermitian_traceless(product<As::kItself, As::kItself>(matrix_of(a), matrix_of(b)),
                                  Lanes<T>{} + T(2));
}

template <int N, class T>
struct Cotangents {
  Algebra<N, T> link, exponent;
};

// From the cotangent c of exp(x) u those of u and of x. With t_k = (-ad x)^k c / k! they are
// sum_k t_k = exp(-x) c exp(x), and sum_k t_k / (k + 1): the transpose of
// d exp(x) exp(-x) = sum_k (ad x)^k dx / (k + 1)!.
template <int N, class T>
inline Cotangents<N, T> through_exponential(const Algebra<N, T>& x, const Algebra<N, T>& c) {
  constexpr int kMost = 100;
  constexpr T kEps = std::numeric_limits<T>::epsilon();
  Cotangents<N, T> sum{c, c};
  Algebra<N, T> term = c;
  const Lanes<T> negligible = half_square(c) * (kEps * kEps);
  for (int k = 1; k < kMost && any<T>(half_square(term) > negligible); k++) {
    term = multiple(Lanes<T>{} + T(1.0 / k), commutator(term, x));
    add_multiple(sum.link, Lanes<T>{} + T(1), term);
    add_multiple(sum.exponent, Lanes<T>{} + T(1.0 / (k + 1)), term);
  }
  return sum;
}

// The cotangent in JAX's gradient g, with which the change is Re sum(g dm), dm = X m.
template <int N, class T>
inline Algebra<N, T> cotangent(const Matrix<N, T>& m, const Matrix<N, T>& g) {
  Matrix<N, T> transposed;
  for (int i = 0; i < N; i++)
    for (int j = 0; j < N; j++) transposed.re[i][j] = g.re[j][i], transposed.im[i][j] = g.im[j][i];
  return anti_hermitian_traceless(product<As::kItself, As::kItself>(m, transposed),
                                  Lanes<T>{} - T(0.5));
}

// A gradient of JAX's with the cotangent c: 2 conj(c m).
template <int N, class T>
inline Matrix<N, T> gradient(const Matrix<N, T>& m, const Algebra<N, T>& c) {
  Matrix<N, T> g = product<As::kItself, As::kItself>(matrix_of(c), m);
  for (int i = 0; i < N; i++)
    for (int j = 0; j < N; j++) g.re[i][j] *= T(2), g.im[i][j] *= T(-2);
  return g;
}

// The scalar products of two fields in each chain. Sites are summed in a fixed order.
template <class B>
std::vector<double> products(const B& batch, const Algebra<B::N, typename B::T>* a,
                             const Algebra<B::N, typename B::T>* b) {
  using T = typename B::T;
  const auto& lattice = batch.lattice;
  std::vector<double> of_sites(lattice.sites * kLanes<T>), of_chains(lattice.chains);
  batch.each(lattice.sites, [&](int site) {
    Lanes<T> sum{};
    for (int mu = 0; mu < lattice.dimensions; mu++) {
      const int i = mu * lattice.sites + site;
      sum += half_product(a[i], b[i]);
    }
    for (int l = 0; l < kLanes<T>; l++) of_sites[site * kLanes<T> + l] = 4 * double(sum[l]);
  });
  for (int l = 0; l < lattice.chains * lattice.blocks; l++)
    for (int site = 0; site < lattice.sites; site++)
      of_chains[lattice.chain(l)] += of_sites[site * kLanes<T> + l];
  return of_chains;
}

}  // namespace gaugemc
