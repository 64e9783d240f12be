// Local updates of SU(N) links by their SU(2) subgroups: what groups/subgroups.py does.
#pragma once
#include "elementary.h"
#include "random.h"

namespace gaugemc {

// q_0 + i (q_1 sigma_1 + q_2 sigma_2 + q_3 sigma_3).
template <class T>
struct Quaternion {
  Lanes<T> parts[4];
};

// p q^-1 of unit quaternions.
template <class T>
inline Quaternion<T> quotient(const Quaternion<T>& p, const Quaternion<T>& q) {
  const Lanes<T>*a = p.parts, *b = q.parts;
  return {{a[0] * b[0] + a[1] * b[1] + a[2] * b[2] + a[3] * b[3],
           a[1] * b[0] - a[0] * b[1] + a[2] * b[3] - a[3] * b[2],
           a[2] * b[0] - a[0] * b[2] + a[3] * b[1] - a[1] * b[3],
           a[3] * b[0] - a[0] * b[3] + a[1] * b[2] - a[2] * b[1]}};
}

// Rows i and j of a matrix, multiplied from the left by a quaternion.
template <int N, class T>
inline void multiply_rows(const Quaternion<T>& g, Matrix<N, T>& m, int i, int j) {
  const Lanes<T>* q = g.parts;
#pragma GCC unroll 3
  for (int c = 0; c < N; c++) {
    const Lanes<T> a_re = m.re[i][c], a_im = m.im[i][c], b_re = m.re[j][c], b_im = m.im[j][c];
    m.re[i][c] = q[0] * a_re - q[3] * a_im + q[2] * b_re - q[1] * b_im;
    m.im[i][c] = q[0] * a_im + q[3] * a_re + q[2] * b_im + q[1] * b_re;
    m.re[j][c] = q[0] * b_re + q[3] * b_im - q[2] * a_re - q[1] * a_im;
    m.im[j][c] = q[0] * b_im - q[3] * b_re - q[2] * a_im + q[1] * a_re;
  }
}

// The link u, multiplied in each subgroup by choose(subgroup, unit, norm), where norm * unit is the
// part there of w = u A. Where that part is too small to have a direction, norm is 0 and unit 1.
template <int N, class T, class Choose>
inline Matrix<N, T> updated(Matrix<N, T> u, Matrix<N, T> w, const Choose& choose) {
  constexpr T kHalf(0.5);
  constexpr T kTiny = std::numeric_limits<T>::min() / std::numeric_limits<T>::epsilon();
  int subgroup = 0;
#pragma GCC unroll 3
  for (int i = 0; i < N; i++)
#pragma GCC unroll 3
    for (int j = i + 1; j < N; j++) {
      const Quaternion<T> part{{kHalf * (w.re[i][i] + w.re[j][j]),
                                kHalf * (w.im[i][j] + w.im[j][i]),
                                kHalf * (w.re[i][j] - w.re[j][i]),
                                kHalf * (w.im[i][i] - w.im[j][j])}};
      Lanes<T> square{};
      for (const Lanes<T>& p : part.parts) square += p * p;
      const Integers<T> tiny = square <= kTiny;
      const Lanes<T> norm = square_root<T>(tiny ? Lanes<T>{} : square), scale = T(1) / norm;
      Quaternion<T> unit;
      for (int k = 0; k < 4; k++)
        unit.parts[k] = tiny ? Lanes<T>{} + T(k == 0) : part.parts[k] * scale;
      const Quaternion<T> g = choose(subgroup++, unit, norm);
      multiply_rows(g, u, i, j);
      multiply_rows(g, w, i, j);
    }
  return u;
}

// A reflection in each subgroup, at constant Re tr w.
template <int N, class T>
inline Matrix<N, T> reflected(const Matrix<N, T>& u, const Matrix<N, T>& w) {
  return updated(u, w, [](int, const Quaternion<T>& unit, Lanes<T>) {
    const Quaternion<T> inverse{{unit.parts[0], -unit.parts[1], -unit.parts[2], -unit.parts[3]}};
    return quotient(inverse, unit);
  });
}

// As in groups/subgroups.py.
constexpr int kTries = 2, kNumbers = 2 + 4 * kTries;
constexpr double kWeak = 1.7;

// A unit quaternion q from the density exp(concentration q_0), or `old` where all proposals are
// rejected. number(0), ..., number(kNumbers - 1) are uniform in [0, 1).
template <class T, class Number>
inline Quaternion<T> drawn(const Number& number, Lanes<T> concentration,
                           const Quaternion<T>& old) {
  const Integers<T> weak = concentration < T(kWeak);
  const bool any_weak = any<T>(weak);
  Lanes<T> x{};  // 1 - q_0
  Integers<T> done{};
  for (int k = 2; k < kNumbers; k += 4) {
    const Lanes<T> first = number(k), accept = number(k + 3);
    const Lanes<T> cosine = on_circle<T>(number(k + 1)).cosine;
    const Lanes<T> logs = logarithm<T>(T(1) - first) +
                          cosine * cosine * logarithm<T>(T(1) - number(k + 2));
    Lanes<T> proposal = -logs / (weak ? Lanes<T>{} + T(kWeak) : concentration);
    Lanes<T> bound = T(1) - proposal * T(0.5);
    if (any_weak) {
      constexpr T kLeast = std::numeric_limits<T>::epsilon();
      Lanes<T> low = weak ? concentration : Lanes<T>{} + T(kWeak);
      low = low > kLeast ? low : Lanes<T>{} + kLeast;
      const Lanes<T> half = one_minus_exponential<T>(low), range = half * (T(2) - half);
      const Lanes<T> exponential = -logarithm_of_one_plus<T>(-first * range) / low;
      proposal = weak ? exponential : proposal;
      bound = weak ? proposal * (T(2) - proposal) : bound;
    }
    x = done ? x : proposal;
    done |= accept * accept < bound;
    if (!any<T>(~done)) break;
  }
  const Lanes<T> latitude = number(0), square = x * (T(2) - x);
  const Lanes<T> sine = square_root<T>(square > T(0) ? square : Lanes<T>{});
  const Lanes<T> across = sine * square_root<T>(latitude * (T(1) - latitude)) * T(2);
  const Circle<T> around = on_circle<T>(number(1));
  const Lanes<T> parts[4] = {T(1) - x, across * around.cosine, across * around.sine,
                             sine * (latitude * T(2) - T(1))};
  Quaternion<T> q;
  for (int k = 0; k < 4; k++) q.parts[k] = done ? parts[k] : old.parts[k];
  return q;
}

// A heatbath in each subgroup, for the density exp(Re tr w / N). number(k), k from 0, are
// uniform in [0, 1).
template <int N, class T, class Number>
inline Matrix<N, T> redrawn(const Matrix<N, T>& u, const Matrix<N, T>& w, const Number& number) {
  return updated(u, w, [&](int subgroup, const Quaternion<T>& unit, Lanes<T> norm) {
    auto own = [&](int k) { return number(subgroup * kNumbers + k); };
    return quotient(drawn<T>(own, norm * T(2.0 / N), unit), unit);
  });
}

}  // namespace gaugemc
