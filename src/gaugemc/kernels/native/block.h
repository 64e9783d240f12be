// Square matrices on the components of su(N): real, with a number for each lane.
#pragma once
#include "basis.h"

namespace gaugemc {

template <int N, class T>
struct Block {
  static constexpr int kSize = kComponents<N>;
  Lanes<T> x[kSize][kSize];
};

// a b. A row of the product stays in registers.
template <int N, class T>
inline Block<N, T> product(const Block<N, T>& a, const Block<N, T>& b) {
  constexpr int kSize = kComponents<N>;
  Block<N, T> result;
  for (int i = 0; i < kSize; i++) {
    Lanes<T> row[kSize]{};
#pragma GCC unroll 8
    for (int k = 0; k < kSize; k++)
#pragma GCC unroll 8
      for (int j = 0; j < kSize; j++) row[j] += a.x[i][k] * b.x[k][j];
#pragma GCC unroll 8
    for (int j = 0; j < kSize; j++) result.x[i][j] = row[j];
  }
  return result;
}

// a v for symmetric a.
template <int N, class T>
inline Vector<N, T> product(const Block<N, T>& a, const Vector<N, T>& v) {
  constexpr int kSize = kComponents<N>;
  Vector<N, T> result{};
#pragma GCC unroll 8
  for (int k = 0; k < kSize; k++)
#pragma GCC unroll 8
    for (int j = 0; j < kSize; j++) result.x[j] += a.x[k][j] * v.x[k];
  return result;
}

template <int N, class T>
inline void add_multiple(Block<N, T>& sum, Lanes<T> scale, const Block<N, T>& a) {
  for (int i = 0; i < kComponents<N>; i++)
    for (int j = 0; j < kComponents<N>; j++) sum.x[i][j] += scale * a.x[i][j];
}

template <int N, class T>
inline void add_to_diagonal(Block<N, T>& sum, Lanes<T> number) {
  for (int i = 0; i < kComponents<N>; i++) sum.x[i][i] += number;
}

// The sum of a_ij b_ij.
template <int N, class T>
inline Lanes<T> dot(const Block<N, T>& a, const Block<N, T>& b) {
  Lanes<T> sum[kComponents<N>]{};
  for (int i = 0; i < kComponents<N>; i++)
    for (int j = 0; j < kComponents<N>; j++) sum[j] += a.x[i][j] * b.x[i][j];
  Lanes<T> total{};
  for (const Lanes<T>& s : sum) total += s;
  return total;
}

// a + a^T.
template <int N, class T>
inline Block<N, T> with_transpose(const Block<N, T>& a) {
  Block<N, T> result;
  for (int i = 0; i < kComponents<N>; i++)
    for (int j = 0; j < kComponents<N>; j++) result.x[i][j] = a.x[i][j] + a.x[j][i];
  return result;
}

// The determinant of a positive definite matrix, which is left eliminated.
template <int N, class T>
inline Lanes<T> determinant(Block<N, T>& a) {
  constexpr int kSize = kComponents<N>;
  Lanes<T> result = a.x[0][0];
#pragma GCC unroll 8
  for (int k = 0; k < kSize - 1; k++) {
    const Lanes<T> scale = T(1) / a.x[k][k];
#pragma GCC unroll 8
    for (int i = k + 1; i < kSize; i++) {
      const Lanes<T> factor = a.x[k][i] * scale;
#pragma GCC unroll 8
      for (int j = i; j < kSize; j++) a.x[i][j] -= factor * a.x[k][j];
    }
    result *= a.x[k + 1][k + 1];
  }
  return result;
}

// The inverse of a positive definite matrix, of which the upper half is read: a sweep for each row.
template <int N, class T>
inline Block<N, T> inverse(Block<N, T> a) {
  constexpr int kSize = kComponents<N>;
#pragma GCC unroll 8
  for (int k = 0; k < kSize; k++) {
    const Lanes<T> scale = T(1) / a.x[k][k];
    Lanes<T> row[kSize];
#pragma GCC unroll 8
    for (int j = 0; j < kSize; j++) row[j] = j < k ? a.x[j][k] : a.x[k][j];
    row[k] = Lanes<T>{};
#pragma GCC unroll 8
    for (int i = 0; i < kSize; i++) {
      const Lanes<T> factor = row[i] * scale;
#pragma GCC unroll 8
      for (int j = i; j < kSize; j++) a.x[i][j] -= factor * row[j];
      (i < k ? a.x[i][k] : a.x[k][i]) = factor;
    }
    a.x[k][k] = -scale;
  }
  for (int i = 0; i < kSize; i++)
    for (int j = i; j < kSize; j++) a.x[j][i] = a.x[i][j] = -a.x[i][j];
  return a;
}

}  // namespace gaugemc
