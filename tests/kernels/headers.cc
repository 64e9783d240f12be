// Functions of the headers on arrays, for tests: each takes n numbers, a multiple of the lanes.
#include "elementary.h"
#include "random.h"

using namespace gaugemc;

template <class T, class F>
void on_lanes(int n, const T* in, T* out, F f) {
  for (int i = 0; i < n; i += kLanes<T>) {
    Lanes<T> x;
    for (int l = 0; l < kLanes<T>; l++) x[l] = in[i + l];
    const Lanes<T> y = f(x);
    for (int l = 0; l < kLanes<T>; l++) out[i + l] = y[l];
  }
}

template <class T>
void uniform(const uint32_t* words, uint64_t offset, int n, T* out) {
  const Key<T> key{{Words<T>{} + words[0], Words<T>{} + words[1]}};
  Words<T> place;
  for (int l = 0; l < kLanes<T>; l++) place[l] = l;
  for (int i = 0; i < n; i += kLanes<T>) {
    const Lanes<T> numbers = uniforms<T>(key, offset, place + uint32_t(i));
    for (int l = 0; l < kLanes<T>; l++) out[i + l] = numbers[l];
  }
}

#define FOR_TYPE(T, suffix)                                                                    \
  extern "C" void logarithm_##suffix(int n, const T* in, T* out) {                             \
    on_lanes(n, in, out, logarithm<T>);                                                        \
  }                                                                                            \
  extern "C" void logarithm_of_one_plus_##suffix(int n, const T* in, T* out) {                 \
    on_lanes(n, in, out, logarithm_of_one_plus<T>);                                            \
  }                                                                                            \
  extern "C" void one_minus_exponential_##suffix(int n, const T* in, T* out) {                 \
    on_lanes(n, in, out, one_minus_exponential<T>);                                            \
  }                                                                                            \
  extern "C" void cosine_##suffix(int n, const T* in, T* out) {                                \
    on_lanes(n, in, out, [](Lanes<T> x) { return on_circle<T>(x).cosine; });                   \
  }                                                                                            \
  extern "C" void sine_##suffix(int n, const T* in, T* out) {                                  \
    on_lanes(n, in, out, [](Lanes<T> x) { return on_circle<T>(x).sine; });                     \
  }                                                                                            \
  extern "C" void uniform_##suffix(const uint32_t* words, uint64_t offset, int n, T* out) {    \
    uniform(words, offset, n, out);                                                            \
  }

FOR_TYPE(double, float64)
FOR_TYPE(float, float32)
