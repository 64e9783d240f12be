// Logarithm, exponential, cosine and sine of all lanes, to rounding.
#pragma once
#include "algebra.h"

namespace gaugemc {

// 1.5 times the number whose rounding is 1: whole numbers added to it stand in its last bits.
template <class T>
constexpr T kWhole = T(sizeof(T) == 8 ? 0x1.8p52 : 0x1.8p23);

// log(x) of positive, normal x. x = 2^k m with m from sqrt(1/2) to sqrt(2), and
// log(m) = 2 artanh(s) with s = (m - 1) / (m + 1), |s| < 0.172.
template <class T>
inline Lanes<T> logarithm(Lanes<T> x) {
  constexpr int kOdd = sizeof(T) == 8 ? 11 : 6, kShift = sizeof(T) == 8 ? 52 : 23;
  const Lanes<T> lowest = Lanes<T>{} + T(M_SQRT1_2), whole = Lanes<T>{} + kWhole<T>;
  const Integers<T> k = (Integers<T>(x) - Integers<T>(lowest)) >> kShift;
  const Lanes<T> exponent = Lanes<T>(k + Integers<T>(whole)) - kWhole<T>;
  const Lanes<T> m = Lanes<T>(Integers<T>(x) - (k << kShift));
  const Lanes<T> s = (m - T(1)) / (m + T(1)), square = s * s;
  Lanes<T> series{};
#pragma GCC unroll 11
  for (int n = kOdd - 1; n >= 0; n--) series = series * square + T(2.0 / (2 * n + 1));
  return exponent * T(M_LN2) + s * series;
}

// log(1 + x) of x from -1 to 0, also of the smallest x.
template <class T>
inline Lanes<T> logarithm_of_one_plus(Lanes<T> x) {
  const Lanes<T> y = x + T(1), rounded = y - T(1);
  return rounded == T(0) ? x : logarithm<T>(y) * (x / rounded);
}

// 1 - exp(-x) of x from 0 to 1.7, also of the smallest x.
template <class T>
inline Lanes<T> one_minus_exponential(Lanes<T> x) {
  Lanes<T> series{};
#pragma GCC unroll 24
  for (int n = kTerms<T> - 1; n > 0; n--) series = kTaylor<T>.coefficients[n] - x * series;
  return x * series;
}

template <class T>
struct Circle {
  Lanes<T> cosine, sine;
};

// The point at a fraction of a turn, from 0 to 1: Taylor's series in an eighth, and symmetries.
template <class T>
inline Circle<T> on_circle(Lanes<T> turn) {
  constexpr int kPairs = sizeof(T) == 8 ? 10 : 6;
  const Lanes<T> quarters = turn * T(4) + kWhole<T>;
  const Lanes<T> angle = (turn * T(4) - (quarters - kWhole<T>)) * T(M_PI_2);
  const Lanes<T> square = angle * angle;
  Lanes<T> even{}, odd{};
#pragma GCC unroll 10
  for (int n = kPairs - 1; n >= 0; n--) {
    even = kTaylor<T>.coefficients[2 * n] - square * even;
    odd = kTaylor<T>.coefficients[2 * n + 1] - square * odd;
  }
  odd *= angle;
  const Integers<T> quarter = Integers<T>(quarters);
  const Lanes<T> across = (quarter & 1) != 0 ? odd : even, up = (quarter & 1) != 0 ? even : odd;
  return {((quarter + 1) & 2) != 0 ? -across : across, (quarter & 2) != 0 ? -up : up};
}

}  // namespace gaugemc
