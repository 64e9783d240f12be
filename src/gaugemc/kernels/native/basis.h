// An orthonormal basis T_a of su(N), tr(T_a T_b) = -delta_ab / 2, and its structure constants.
#pragma once
#include <utility>

#include "algebra.h"

namespace gaugemc {

template <int N>
constexpr int kComponents = N * N - 1;

// The components of an algebra element.
template <int N, class T>
struct Vector {
  Lanes<T> x[kComponents<N>];
};

// Diagonal elements of the basis are i (1, ..., 1, -k, 0, ...) kNorm[k - 1].
constexpr double kNorm[] = {0.5, 0.28867513459481288225};  // 1 / sqrt(2 k (k + 1))
constexpr double on_diagonal(int k, int j) {
  return j < k ? kNorm[k - 1] : j == k ? -k * kNorm[k - 1] : 0;
}

// Components 2 p and 2 p + 1 belong to the imaginary and the real part of pair p.
template <int N, class T>
inline Vector<N, T> components(const Algebra<N, T>& a) {
  constexpr int kPairs = Algebra<N, T>::kPairs;
  Vector<N, T> v{};
  for (int p = 0; p < kPairs; p++) v.x[2 * p] = a.im[p] * T(2), v.x[2 * p + 1] = a.re[p] * T(2);
#pragma GCC unroll 3
  for (int k = 1; k < N; k++)
#pragma GCC unroll 3
    for (int j = 0; j < N; j++)
      v.x[2 * kPairs + k - 1] += a.diagonal[j] * T(2 * on_diagonal(k, j));
  return v;
}

template <int N, class T>
inline Algebra<N, T> element(const Vector<N, T>& v) {
  constexpr int kPairs = Algebra<N, T>::kPairs;
  Algebra<N, T> a{};
  for (int p = 0; p < kPairs; p++) a.im[p] = v.x[2 * p] * T(0.5), a.re[p] = v.x[2 * p + 1] * T(0.5);
#pragma GCC unroll 3
  for (int k = 1; k < N; k++)
#pragma GCC unroll 3
    for (int j = 0; j < N; j++)
      a.diagonal[j] += v.x[2 * kPairs + k - 1] * T(on_diagonal(k, j));
  return a;
}

enum class Kind { kCommutator, kAnticommutator };

struct Constant {
  int a, b, c;
  double value;
};

// The constants that do not vanish: f_abc of [T_b, T_a] = f_abc T_c, or k_abc of
// {T_a, T_b} = -delta_ab / N + k_abc i T_c.
template <int N, Kind kKind>
struct Constants {
  Constant list[64]{};
  int size = 0;

  constexpr Constants() {
    constexpr int kPairs = N * (N - 1) / 2;
    double re[kComponents<N>][N][N]{}, im[kComponents<N>][N][N]{};
    for (int j = 0; j < N; j++)
      for (int k = j + 1; k < N; k++) {
        const int p = 2 * pair(N, j, k);
        im[p][j][k] = im[p][k][j] = re[p + 1][j][k] = 0.5, re[p + 1][k][j] = -0.5;
      }
    for (int k = 1; k < N; k++)
      for (int j = 0; j < N; j++) im[2 * kPairs + k - 1][j][j] = on_diagonal(k, j);
    constexpr bool kOdd = kKind == Kind::kCommutator;
    for (int a = 0; a < kComponents<N>; a++)
      for (int b = 0; b < kComponents<N>; b++)
        for (int c = 0; c < kComponents<N>; c++) {
          double traces[2]{};  // -2 Re tr(T_a T_b T_c), or -2 Im tr(T_a T_b T_c), and b before a
          for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++)
              for (int order = 0; order < 2; order++) {
                const int f = order ? b : a, s = order ? a : b;
                double pair_re = 0, pair_im = 0;
                for (int k = 0; k < N; k++) {
                  pair_re += re[f][i][k] * re[s][k][j] - im[f][i][k] * im[s][k][j];
                  pair_im += re[f][i][k] * im[s][k][j] + im[f][i][k] * re[s][k][j];
                }
                traces[order] -= 2 * (kOdd ? pair_re * re[c][j][i] - pair_im * im[c][j][i]
                                           : pair_re * im[c][j][i] + pair_im * re[c][j][i]);
              }
          const double value = kOdd ? traces[1] - traces[0] : traces[0] + traces[1];
          if (value > 1e-9 || value < -1e-9) list[size++] = {a, b, c, value};
        }
  }
};
template <int N, Kind kKind>
constexpr Constants<N, kKind> kConstants{};

// term(constant) for each of them, at places that the compiler knows.
template <int N, Kind kKind, class Term, size_t... I>
inline void each_constant(const Term& term, std::index_sequence<I...>) {
  (term(std::integral_constant<size_t, I>{}), ...);
}

// sum_ab += f_abc v_c, which is the matrix of ad(v); or k_abc v_c.
template <int N, Kind kKind, class T>
inline void add_to_block(Lanes<T> (&sum)[kComponents<N>][kComponents<N>], const Vector<N, T>& v) {
  each_constant<N, kKind>(
      [&](auto i) __attribute__((always_inline)) {
        constexpr Constant k = kConstants<N, kKind>.list[i];
        sum[k.a][k.b] += v.x[k.c] * T(k.value);
      },
      std::make_index_sequence<kConstants<N, kKind>.size>{});
}

// v_c = f_abc m_ab, or k_abc m_ab: the transpose of `add_to_block`.
template <int N, Kind kKind, class T>
inline Vector<N, T> contracted(const Lanes<T> (&m)[kComponents<N>][kComponents<N>]) {
  Vector<N, T> v{};
  each_constant<N, kKind>(
      [&](auto i) __attribute__((always_inline)) {
        constexpr Constant k = kConstants<N, kKind>.list[i];
        v.x[k.c] += m[k.a][k.b] * T(k.value);
      },
      std::make_index_sequence<kConstants<N, kKind>.size>{});
  return v;
}

}  // namespace gaugemc
