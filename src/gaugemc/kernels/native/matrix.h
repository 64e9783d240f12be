// N x N matrices with a number for each lane.
#pragma once
#include "lanes.h"

namespace gaugemc {

template <int N, class T>
struct Matrix {
  Lanes<T> re[N][N], im[N][N];
};

enum class As { kItself, kDagger };

// sum + a b, or the same with Hermitian conjugates. A row of the sum stays in registers.
template <As kA, As kB, int N, class T>
inline void add_product(Matrix<N, T>& sum, const Matrix<N, T>& a, const Matrix<N, T>& b) {
  constexpr bool kDaggerA = kA == As::kDagger, kDaggerB = kB == As::kDagger;
#pragma GCC unroll 3
  for (int i = 0; i < N; i++) {
    Lanes<T> re[N], im[N];
#pragma GCC unroll 3
    for (int j = 0; j < N; j++) re[j] = sum.re[i][j], im[j] = sum.im[i][j];
#pragma GCC unroll 3
    for (int k = 0; k < N; k++) {
      const Lanes<T> a_re = kDaggerA ? a.re[k][i] : a.re[i][k];
      const Lanes<T> a_im = kDaggerA ? -a.im[k][i] : a.im[i][k];
#pragma GCC unroll 3
      for (int j = 0; j < N; j++) {
        const Lanes<T> b_re = kDaggerB ? b.re[j][k] : b.re[k][j];
        const Lanes<T> b_im = kDaggerB ? -b.im[j][k] : b.im[k][j];
        re[j] += a_re * b_re;
        im[j] += a_re * b_im;
        re[j] -= a_im * b_im;
        im[j] += a_im * b_re;
      }
    }
#pragma GCC unroll 3
    for (int j = 0; j < N; j++) sum.re[i][j] = re[j], sum.im[i][j] = im[j];
  }
}

template <As kA, As kB, int N, class T>
inline Matrix<N, T> product(const Matrix<N, T>& a, const Matrix<N, T>& b) {
  Matrix<N, T> result{};
  add_product<kA, kB>(result, a, b);
  return result;
}

// sum + scale a.
template <int N, class T>
inline void add_multiple(Matrix<N, T>& sum, Lanes<T> scale, const Matrix<N, T>& a) {
  for (int i = 0; i < N; i++)
    for (int j = 0; j < N; j++) sum.re[i][j] += scale * a.re[i][j], sum.im[i][j] += scale * a.im[i][j];
}

// u - weight u (u^dagger u - 1): with weight 1/2 a step of Newton's towards the nearest unitary
// matrix, which squares the distance.
template <int N, class T>
inline Matrix<N, T> nearer_unitary(const Matrix<N, T>& u, Lanes<T> weight) {
  Matrix<N, T> square = product<As::kDagger, As::kItself>(u, u), step{}, result = u;
  for (int i = 0; i < N; i++) square.re[i][i] -= T(1);
  add_multiple(step, -weight, square);
  add_product<As::kItself, As::kItself>(result, u, step);
  return result;
}

// Re tr(a b^dagger).
template <int N, class T>
inline Lanes<T> real_trace(const Matrix<N, T>& a, const Matrix<N, T>& b) {
  Lanes<T> sum{};
  for (int i = 0; i < N; i++)
    for (int j = 0; j < N; j++) sum += a.re[i][j] * b.re[i][j] + a.im[i][j] * b.im[i][j];
  return sum;
}

// a where the mask holds, b elsewhere.
template <int N, class T>
inline Matrix<N, T> selected(Integers<T> mask, const Matrix<N, T>& a, const Matrix<N, T>& b) {
  Matrix<N, T> result;
  for (int i = 0; i < N; i++)
    for (int j = 0; j < N; j++) {
      result.re[i][j] = mask ? a.re[i][j] : b.re[i][j];
      result.im[i][j] = mask ? a.im[i][j] : b.im[i][j];
    }
  return result;
}

}  // namespace gaugemc
