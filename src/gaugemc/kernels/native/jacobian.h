// The stout map of a link, u -> exp(A) u with A = -TA(W), W = u S: its Jacobian and its reverse
// pass.
//
// With Z = ad(A), Y = Z^2 / 4 and M the symmetric part of the derivative of A (flows/stout/link.py),
// the Jacobian has the determinant of
//   K = cosh(Z / 2) + sinh(Z / 2) / (Z / 2) M = R (G + M), R = sinh(Z / 2) / (Z / 2),
// where G = sqrt(Y) coth(sqrt(Y)). G + M is symmetric, and positive where the map is a bijection.
// log det R = tr log(sinh(sqrt(Y)) / sqrt(Y)), whose derivative is tr((G - 1) / (2 Y) dY).
#pragma once
#include "block.h"
#include "elementary.h"
#include "series.h"

namespace gaugemc {

template <int N, class T>
class Jacobian {
 public:
  explicit Jacobian(const Matrix<N, T>& w)
      : a_(anti_hermitian_traceless(w, Lanes<T>{} - T(1))),
        invariants_(a_),
        p_(invariants_.polynomial()),
        g_(remainder(kSeries<T>.coth, p_, quotient_)),
        z_{} {
    add_to_block<N, Kind::kCommutator>(z_.x, components(a_));
    powers_[0] = product(z_, z_);
    for (auto& row : powers_[0].x)
      for (auto& entry : row) entry *= T(0.25);
    for (int k = 1; k < kDegree<N>; k++) powers_[k] = product(powers_[k - 1], powers_[0]);
    Matrix<N, T> turned;  // i W
    Lanes<T> trace{};
    for (int i = 0; i < N; i++) {
      for (int j = 0; j < N; j++) turned.re[i][j] = -w.im[i][j], turned.im[i][j] = w.re[i][j];
      trace += w.re[i][i];
    }
    sum_ = {};
    add_to_block<N, Kind::kAnticommutator>(
        sum_.x, components(anti_hermitian_traceless(turned, Lanes<T>{} - T(0.5))));
    add_to_diagonal(sum_, T(1) - trace * T(1.0 / N));
    for (int k = 0; k < kDegree<N>; k++) add_multiple(sum_, g_.c[k], powers_[k]);
  }

  const Algebra<N, T>& exponent() const { return a_; }

  Lanes<T> log_det() const {
    Block<N, T> sum = sum_;
    return logarithm<T>(determinant(sum)) +
           sum_over_roots(remainder(kSeries<T>.log_sinh, p_), p_) * T(2);
  }

  // The matrix C for which Re tr(C dW) is the change of an action S - log det. With exp(-A) F exp(A)
  // given, where F is the force of S on exp(A) u.
  Matrix<N, T> pulled(const Algebra<N, T>& force) const {
    const Block<N, T> b = inverse(sum_);
    Vector<N, T> of_a = through_exponential(components(force));
    const Vector<N, T> by_log_det = of_exponent(b);
    for (int c = 0; c < kComponents<N>; c++) of_a.x[c] -= by_log_det.x[c];
    const Algebra<N, T> odd = element(of_a);
    const Algebra<N, T> even = element(contracted<N, Kind::kAnticommutator, T>(b.x));
    Lanes<T> trace{};
    for (int i = 0; i < kComponents<N>; i++) trace += b.x[i][i];
    // 2 odd - i even + trace / N
    Matrix<N, T> c;
    for (int j = 0; j < N; j++) {
      c.re[j][j] = even.diagonal[j] + trace * T(1.0 / N), c.im[j][j] = odd.diagonal[j] * T(2);
      for (int k = j + 1; k < N; k++) {
        const int p = pair(N, j, k);
        c.re[j][k] = odd.re[p] * T(2) + even.im[p], c.im[j][k] = odd.im[p] * T(2) - even.re[p];
        c.re[k][j] = -odd.re[p] * T(2) + even.im[p], c.im[k][j] = odd.im[p] * T(2) + even.re[p];
      }
    }
    return c;
  }

 private:
  // (exp(Z) - 1) / Z v, in its even and its odd part: exp(-A) d exp(A) = (1 - exp(-Z)) / Z dA,
  // transposed.
  Vector<N, T> through_exponential(const Vector<N, T>& v) const {
    const Polynomial<N, T> even = remainder(kSeries<T>.sinh, p_);
    const Polynomial<N, T> odd = remainder(kSeries<T>.cosh, p_);
    Vector<N, T> turned = product(z_, v), result{};  // -Z v
    for (int k = kDegree<N>; k >= 0; k--) {
      if (k < kDegree<N>) result = product(powers_[0], result);
      const Lanes<T> c = k ? even.c[k - 1] : Lanes<T>{} + kSeries<T>.sinh[0];
      const Lanes<T> s = k ? odd.c[k - 1] : Lanes<T>{} + kSeries<T>.cosh[0];
      for (int i = 0; i < kComponents<N>; i++) result.x[i] += c * v.x[i] - s * turned.x[i];
    }
    return result;
  }

  // The derivative of log det by the components of A, given the inverse b of G + M.
  //   tr(b dG) + tr((G - 1) / (2 Y) dY) = tr(D dY) + sum_k tr(b Y^k) dg_k.
  Vector<N, T> of_exponent(const Block<N, T>& b) const {
    const Block<N, T> yb = product(powers_[0], b);
    Block<N, T> d{};
    add_multiple(d, g_.c[0], b);
    add_to_diagonal(d, g_.c[0] * T(0.5));
    if constexpr (kDegree<N> > 1) {
      // g_1 (Y b + b Y) + g_2 (Y^2 b + Y b Y + b Y^2) = Y r + (Y r)^T
      Block<N, T> r{};
      add_multiple(r, g_.c[1], b);
      add_multiple(r, g_.c[2] * T(0.5), with_transpose(yb));
      add_multiple(r, g_.c[2] * T(0.5), yb);
      add_multiple(r, g_.c[2] * T(0.25), powers_[0]);
      add_to_diagonal(r, g_.c[1] * T(0.25));
      add_multiple(d, Lanes<T>{} + T(1), with_transpose(product(powers_[0], r)));
    }
    // tr(D dY) = tr(D Z dZ) / 2
    const Vector<N, T> by_y = contracted<N, Kind::kCommutator, T>(product(z_, d).x);
    // tr(b Y^(k + 1)), from Y p(Y) = 0 where k is large; then dg = -(Q dp) modulo p.
    constexpr int kTop = kDegree<N>;
    Lanes<T> traces[2 * kTop]{}, weights[kTop]{};
    for (int i = 0; i < kComponents<N>; i++) traces[0] += yb.x[i][i];
    for (int k = 1; k < kTop; k++) traces[k] = dot(yb, powers_[k - 1]);
    for (int k = kTop; k < 2 * kTop - 1; k++) traces[k] = -dot(p_, traces + k - kTop);
    for (int k = 0; k < kTop; k++) weights[k] = -dot(quotient_, traces + k);
    const Vector<N, T> by_invariants = components(invariants_.gradient(a_, weights));
    Vector<N, T> result;
    for (int c = 0; c < kComponents<N>; c++)
      result.x[c] = (by_invariants.x[c] - by_y.x[c]) * T(0.5);
    return result;
  }

  Algebra<N, T> a_;
  Invariants<N, T> invariants_;
  Polynomial<N, T> p_, quotient_, g_;  // G = 1 + sum_k g_k Y^(k + 1)
  Block<N, T> z_, sum_, powers_[kDegree<N>];  // Z, G + M, Y^(k + 1)
};

}  // namespace gaugemc
