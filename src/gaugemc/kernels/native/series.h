// Power series of Y = ad(A)^2 / 4 in su(2) and su(3), for |Y| <= 1.
//
// Y has the eigenvalue 0, and -s_j with s_j = (difference of two eigenvalues of A)^2 / 4, so that
// Y p(Y) = 0 with p(y) = prod_j (y + s_j). A series f(Y) is f_0 + Y r(Y), where r is the remainder
// of (f - f_0) / y divided by p. There are no eigenvectors, and nothing is singular where
// eigenvalues meet.
#pragma once
#include "algebra.h"

namespace gaugemc {

template <class T>
constexpr int kEven = sizeof(T) == 8 ? 18 : 9;  // terms that are above rounding

// The series of sqrt(y) coth(sqrt(y)), of log(sinh(sqrt(y)) / sqrt(y)) and, with z^2 = 4 y, of
// sinh(z) / z and (cosh(z) - 1) / z^2.
template <class T>
struct EvenSeries {
  T coth[kEven<T>]{}, log_sinh[kEven<T>]{}, sinh[kEven<T>]{}, cosh[kEven<T>]{};
  constexpr EvenSeries() {
    double odd[kEven<T>]{}, even[kEven<T>]{}, c[kEven<T>]{};  // 1 / (2 k + 1)!, 1 / (2 k)!
    double factor = 1, power = 1;
    for (int k = 0; k < kEven<T>; k++, power *= 4) {
      even[k] = factor, odd[k] = factor /= 2 * k + 1;
      factor /= 2 * k + 2;
      sinh[k] = T(power * odd[k]), cosh[k] = T(power * factor);
      c[k] = even[k];
      for (int j = 1; j <= k; j++) c[k] -= c[k - j] * odd[j];
      coth[k] = T(c[k]);
      if (k) log_sinh[k] = T(c[k] / (2 * k));
    }
  }
};
template <class T>
constexpr EvenSeries<T> kSeries{};

// A polynomial of degree kDegree - 1, or p without its leading term.
template <int N>
constexpr int kDegree = N * (N - 1) / 2;
template <int N, class T>
struct Polynomial {
  Lanes<T> c[kDegree<N>];
};

template <int N, class T>
inline Lanes<T> dot(const Polynomial<N, T>& a, const Lanes<T>* b) {
  Lanes<T> sum{};
  for (int k = 0; k < kDegree<N>; k++) sum += a.c[k] * b[k];
  return sum;
}

// The remainder of c + y r divided by p. Returns the digit of the quotient.
template <int N, class T>
inline Lanes<T> shift_in(Polynomial<N, T>& r, Lanes<T> c, const Polynomial<N, T>& p) {
  const Lanes<T> digit = r.c[kDegree<N> - 1];
  for (int k = kDegree<N> - 1; k >= 0; k--) r.c[k] = (k ? r.c[k - 1] : c) - p.c[k] * digit;
  return digit;
}

template <int N, class T>
inline Polynomial<N, T> remainder(const T (&series)[kEven<T>], const Polynomial<N, T>& p) {
  Polynomial<N, T> r{};
#pragma GCC unroll 18
  for (int k = kEven<T> - 1; k > 0; k--) shift_in(r, Lanes<T>{} + series[k], p);
  return r;
}

// The same with the quotient Q, divided by p too: dr = -(Q dp) modulo p where p changes.
template <int N, class T>
inline Polynomial<N, T> remainder(const T (&series)[kEven<T>], const Polynomial<N, T>& p,
                                  Polynomial<N, T>& quotient) {
  Polynomial<N, T> r{};
  quotient = {};
#pragma GCC unroll 18
  for (int k = kEven<T> - 1; k > 0; k--)
    shift_in(quotient, shift_in(r, Lanes<T>{} + series[k], p), p);
  return r;
}

// sum_j (-s_j) r(-s_j), by Newton's identities for sums of powers.
template <int N, class T>
inline Lanes<T> sum_over_roots(const Polynomial<N, T>& r, const Polynomial<N, T>& p) {
  constexpr int kTop = kDegree<N>;
  Lanes<T> powers[kTop];
  for (int k = 0; k < kTop; k++) {
    powers[k] = -T(k + 1) * p.c[kTop - 1 - k];
    for (int i = 0; i < k; i++) powers[k] -= p.c[kTop - 1 - i] * powers[k - 1 - i];
  }
  return dot(r, powers);
}

// The invariants of A that p depends on: c1 = -tr(A^2) / 2, and in SU(3) c0 = det(-i A).
template <int N, class T>
struct Invariants;

template <class T>
struct Invariants<2, T> {
  Lanes<T> c1;
  explicit Invariants(const Algebra<2, T>& a) : c1(half_square(a)) {}

  Polynomial<2, T> polynomial() const { return {{c1}}; }

  // The element G with sum_k weights_k dp_k = -tr(G dA).
  Algebra<2, T> gradient(const Algebra<2, T>& a, const Lanes<T>* weights) const {
    Algebra<2, T> sum{};
    add_multiple(sum, weights[0], a);
    return sum;
  }
};

template <class T>
struct Invariants<3, T> {
  Lanes<T> c1, c0;
  explicit Invariants(const Algebra<3, T>& a) : c1(half_square(a)) {
    const Algebra<3, T> minors = adjugate(a);
    c0 = a.diagonal[0] * minors.diagonal[0];
    for (int p : {0, 1}) c0 += a.im[p] * minors.im[p] + a.re[p] * minors.re[p];
  }

  // (y + s_1) (y + s_2) (y + s_3): the squares of differences of eigenvalues have the sum 6 c1, and
  // the product 4 c1^3 - 27 c0^2.
  Polynomial<3, T> polynomial() const {
    const Lanes<T> sum = c1 * T(1.5);
    return {{(c1 * c1 * c1 * T(4) - c0 * c0 * T(27)) * T(1.0 / 64), sum * sum * T(0.25), sum}};
  }

  Algebra<3, T> gradient(const Algebra<3, T>& a, const Lanes<T>* weights) const {
    const Lanes<T> of_c1 =
        weights[2] * T(1.5) + c1 * (weights[1] * T(1.125) + weights[0] * c1 * T(12.0 / 64));
    Algebra<3, T> sum{};
    add_multiple(sum, of_c1, a);
    add_multiple(sum, weights[0] * c0 * T(-54.0 / 64), adjugate(a));
    return sum;
  }

  // i adj(h) of h = -i A: dc0 = tr(adj(h) dh).
  static Algebra<3, T> adjugate(const Algebra<3, T>& a) {
    const Lanes<T>*d = a.diagonal, *re = a.im, *im = a.re;  // the entries above are re - i im
    Algebra<3, T> r;
    r.diagonal[0] = d[1] * d[2] - re[2] * re[2] - im[2] * im[2];
    r.diagonal[1] = d[0] * d[2] - re[1] * re[1] - im[1] * im[1];
    r.diagonal[2] = d[0] * d[1] - re[0] * re[0] - im[0] * im[0];
    r.im[0] = re[1] * re[2] + im[1] * im[2] - d[2] * re[0];
    r.re[0] = im[1] * re[2] - re[1] * im[2] - d[2] * im[0];
    r.im[1] = re[0] * re[2] - im[0] * im[2] - d[1] * re[1];
    r.re[1] = re[0] * im[2] + im[0] * re[2] - d[1] * im[1];
    r.im[2] = re[1] * re[0] + im[1] * im[0] - d[0] * re[2];
    r.re[2] = im[1] * re[0] - re[1] * im[0] - d[0] * im[2];
    return r;
  }
};

}  // namespace gaugemc
