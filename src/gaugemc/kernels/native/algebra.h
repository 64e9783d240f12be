// The algebra su(N), N = 2 or 3, and its exponential.
#pragma once
#include <limits>

#include "matrix.h"

namespace gaugemc {

// An anti-Hermitian matrix: i diagonal[j] on the diagonal, re + i im above.
template <int N, class T>
struct Algebra {
  static constexpr int kPairs = N * (N - 1) / 2;
  Lanes<T> diagonal[N], re[kPairs], im[kPairs];
};

// The number of the entry (j, k), j < k.
constexpr int pair(int n, int j, int k) { return j * n - j * (j + 1) / 2 + k - j - 1; }

// The projection of a matrix on the algebra, times a number.
template <int N, class T>
inline Algebra<N, T> anti_hermitian_traceless(const Matrix<N, T>& m, Lanes<T> scale) {
  Algebra<N, T> a;
  Lanes<T> trace{};
  for (int j = 0; j < N; j++) trace += m.im[j][j];
  for (int j = 0; j < N; j++) a.diagonal[j] = scale * (m.im[j][j] - trace * T(1.0 / N));
  for (int j = 0; j < N; j++)
    for (int k = j + 1; k < N; k++) {
      a.re[pair(N, j, k)] = scale * ((m.re[j][k] - m.re[k][j]) * T(0.5));
      a.im[pair(N, j, k)] = scale * ((m.im[j][k] + m.im[k][j]) * T(0.5));
    }
  return a;
}

// The same as a matrix.
template <int N, class T>
inline Matrix<N, T> matrix_of(const Algebra<N, T>& a) {
  Matrix<N, T> m;
  for (int j = 0; j < N; j++) {
    m.re[j][j] = Lanes<T>{}, m.im[j][j] = a.diagonal[j];
    for (int k = j + 1; k < N; k++) {
      const int p = pair(N, j, k);
      m.re[j][k] = a.re[p], m.im[j][k] = m.im[k][j] = a.im[p], m.re[k][j] = -a.re[p];
    }
  }
  return m;
}

// sum + scale a.
template <int N, class T>
inline void add_multiple(Algebra<N, T>& sum, Lanes<T> scale, const Algebra<N, T>& a) {
  for (int j = 0; j < N; j++) sum.diagonal[j] += scale * a.diagonal[j];
  for (int p = 0; p < Algebra<N, T>::kPairs; p++) {
    sum.re[p] += scale * a.re[p];
    sum.im[p] += scale * a.im[p];
  }
}

template <int N, class T>
inline Algebra<N, T> multiple(Lanes<T> scale, const Algebra<N, T>& a) {
  Algebra<N, T> result{};
  add_multiple(result, scale, a);
  return result;
}

// -tr(a b) / 2.
template <int N, class T>
inline Lanes<T> half_product(const Algebra<N, T>& a, const Algebra<N, T>& b) {
  Lanes<T> diagonal{}, above{};
  for (int j = 0; j < N; j++) diagonal += a.diagonal[j] * b.diagonal[j];
  for (int p = 0; p < Algebra<N, T>::kPairs; p++) above += a.re[p] * b.re[p] + a.im[p] * b.im[p];
  return diagonal * T(0.5) + above;
}

// -tr(a^2) / 2.
template <int N, class T>
inline Lanes<T> half_square(const Algebra<N, T>& a) {
  return half_product(a, a);
}

// The largest half_square for which Taylor's series is exact to rounding: eigenvalues up to 2.
constexpr double kSeriesRadius = 3;
template <class T>
constexpr int kTerms = sizeof(T) == 8 ? 24 : 16;

// 1 / n!, the coefficients of the series.
template <class T>
struct Taylor {
  T coefficients[kTerms<T>]{};
  constexpr Taylor() {
    double c = 1;
    for (int n = 0; n < kTerms<T>; c /= ++n) coefficients[n] = T(c);
  }
};
template <class T>
constexpr Taylor<T> kTaylor{};

// exp(a) of small a, where c1 = half_square(a). By Cayley and Hamilton a^3 = -c1 a - i c0, so that
// every polynomial of a is g0 + g1 a + g2 a^2 (hep-lat/0311018). Horner's scheme for these three
// numbers sums Taylor's series. It needs no eigenvalues, and does not mind where eigenvalues meet.
template <class T>
inline Matrix<3, T> series(const Algebra<3, T>& a, Lanes<T> c1) {
  // -i a is Hermitian: d on its diagonal, x, y, z above.
  const Lanes<T>* d = a.diagonal;
  const Lanes<T> x_re = a.im[0], x_im = -a.re[0], y_re = a.im[1], y_im = -a.re[1];
  const Lanes<T> z_re = a.im[2], z_im = -a.re[2];
  const Lanes<T> xx = x_re * x_re + x_im * x_im, yy = y_re * y_re + y_im * y_im;
  const Lanes<T> zz = z_re * z_re + z_im * z_im;
  const Lanes<T> xz_re = x_re * z_re - x_im * z_im, xz_im = x_re * z_im + x_im * z_re;
  const Lanes<T> c0 = d[0] * (d[1] * d[2] - zz) - d[1] * yy - d[2] * xx +
                      (xz_re * y_re + xz_im * y_im) * T(2);
  Lanes<T> re[3]{}, im[3]{};  // g0, g1, g2
#pragma GCC unroll 24
  for (int n = kTerms<T> - 1; n >= 0; n--) {
    const Lanes<T> last_re = re[2], last_im = im[2];
    re[2] = re[1], im[2] = im[1];
    re[1] = re[0] - c1 * last_re, im[1] = im[0] - c1 * last_im;
    re[0] = c0 * last_im + kTaylor<T>.coefficients[n], im[0] = -c0 * last_re;
  }
  // a^2 = -h.
  const Lanes<T> h[3] = {d[0] * d[0] + xx + yy, d[1] * d[1] + xx + zz, d[2] * d[2] + yy + zz};
  const Lanes<T> h_re[3] = {(d[0] + d[1]) * x_re + y_re * z_re + y_im * z_im,
                            (d[0] + d[2]) * y_re + xz_re,
                            (d[1] + d[2]) * z_re + x_re * y_re + x_im * y_im};
  const Lanes<T> h_im[3] = {(d[0] + d[1]) * x_im + y_im * z_re - y_re * z_im,
                            (d[0] + d[2]) * y_im + xz_im,
                            (d[1] + d[2]) * z_im + x_re * y_im - x_im * y_re};
  Matrix<3, T> u;
  for (int j = 0; j < 3; j++) {
    u.re[j][j] = re[0] - im[1] * d[j] - re[2] * h[j];
    u.im[j][j] = im[0] + re[1] * d[j] - im[2] * h[j];
    for (int k = j + 1; k < 3; k++) {
      const int p = pair(3, j, k);
      const Lanes<T> even_re = im[1] * a.im[p] + re[2] * h_re[p];
      const Lanes<T> even_im = im[1] * a.re[p] - im[2] * h_re[p];
      const Lanes<T> odd_re = re[1] * a.re[p] + im[2] * h_im[p];
      const Lanes<T> odd_im = re[1] * a.im[p] - re[2] * h_im[p];
      u.re[j][k] = odd_re - even_re;
      u.im[j][k] = odd_im + even_im;
      u.re[k][j] = -odd_re - even_re;
      u.im[k][j] = re[1] * a.im[p] + re[2] * h_im[p] - im[1] * a.re[p] - im[2] * h_re[p];
    }
  }
  return u;
}

// The same in SU(2): a^2 = -c1, so the series are those of cos and of sin(x) / x.
template <class T>
inline Matrix<2, T> series(const Algebra<2, T>& a, Lanes<T> c1) {
  Lanes<T> g0{}, g1{};
#pragma GCC unroll 24
  for (int n = kTerms<T> - 1; n >= 0; n--) {
    const Lanes<T> last = g1;
    g1 = g0;
    g0 = kTaylor<T>.coefficients[n] - c1 * last;
  }
  return {{{g0, g1 * a.re[0]}, {-g1 * a.re[0], g0}},
          {{g1 * a.diagonal[0], g1 * a.im[0]}, {g1 * a.im[0], g1 * a.diagonal[1]}}};
}

// exp(a) of every a: the series of a / 2^k, squared k times. Where the rounding of a exceeds 1,
// exp(a) means nothing and is NaN.
template <int N, class T>
inline Matrix<N, T> exponential(Algebra<N, T> a) {
  const Lanes<T> square = half_square(a);
  bool large = false;
  for (int l = 0; l < kLanes<T>; l++) large |= square[l] > T(kSeriesRadius);
  if (__builtin_expect(!large, 1)) return series(a, square);

  constexpr T kEps = std::numeric_limits<T>::epsilon();
  int halvings[kLanes<T>], most = 0;
  Lanes<T> scale;
  for (int l = 0; l < kLanes<T>; l++) {
    halvings[l] = 0;
    T rest = square[l];
    scale[l] = rest * kEps * kEps > 1 ? std::numeric_limits<T>::quiet_NaN() : T(1);
    for (; rest > T(kSeriesRadius) && scale[l] == scale[l]; rest /= 4) halvings[l]++;
    scale[l] = std::ldexp(scale[l], -halvings[l]);
    if (halvings[l] > most) most = halvings[l];
  }
  const Algebra<N, T> small = multiple(scale, a);
  Matrix<N, T> u = series(small, half_square(small));
  for (int n = 0; n < most; n++) {
    const Matrix<N, T> squared = product<As::kItself, As::kItself>(u, u);
    for (int i = 0; i < N; i++)
      for (int j = 0; j < N; j++)
        for (int l = 0; l < kLanes<T>; l++)
          if (halvings[l] > n) {
            u.re[i][j][l] = squared.re[i][j][l];
            u.im[i][j][l] = squared.im[i][j][l];
          }
  }
  return u;
}

// exp(dt v) u. The trace that rounding has left in v would turn the determinant of u.
template <int N, class T>
inline Matrix<N, T> moved(const Matrix<N, T>& u, Lanes<T> dt, const Algebra<N, T>& v) {
  Algebra<N, T> step = multiple(dt, v);
  Lanes<T> trace{};
  for (int j = 0; j < N; j++) trace += step.diagonal[j];
  for (int j = 0; j < N; j++) step.diagonal[j] -= trace * T(1.0 / N);
  return product<As::kItself, As::kItself>(exponential(step), u);
}

}  // namespace gaugemc
