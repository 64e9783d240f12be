// Vectors of numbers, one number for each lane, and the permutations that carry lanes into lanes.
#pragma once
#include <cstdint>
#include <type_traits>

namespace gaugemc {

#if defined(__AVX512F__)
constexpr int kVectorBytes = 64;
#elif defined(__AVX__)
constexpr int kVectorBytes = 32;
#else
constexpr int kVectorBytes = 16;
#endif

template <class T>
constexpr int kLanes = kVectorBytes / sizeof(T);

template <class T>
struct VectorOf {
  typedef T type __attribute__((vector_size(kVectorBytes)));
};
template <class T>
using Lanes = typename VectorOf<T>::type;

// Whole numbers as wide as T. As masks they have all bits where a comparison holds.
template <class T>
using Integers = Lanes<std::conditional_t<sizeof(T) == 8, int64_t, int32_t>>;

// For each lane the lane that its number comes from.
template <class T>
using Permutation = Integers<T>;

template <class T>
inline Lanes<T> permuted(Lanes<T> v, Permutation<T> from) {
#if defined(__clang__)
  Lanes<T> result;
  for (int l = 0; l < kLanes<T>; l++) result[l] = v[from[l]];
  return result;
#else
  return __builtin_shuffle(v, from);
#endif
}

}  // namespace gaugemc
