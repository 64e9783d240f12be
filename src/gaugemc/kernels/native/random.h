// Random numbers from JAX's keys: the same bits as jax.random.uniform makes.
#pragma once
#include "lanes.h"

namespace gaugemc {

// 32 bits for each lane.
template <class T>
struct WordsOf {
  typedef uint32_t type __attribute__((vector_size(4 * kLanes<T>)));
};
template <class T>
using Words = typename WordsOf<T>::type;

// The two words of a key, which chains have each of their own.
template <class T>
struct Key {
  Words<T> words[2];
};

// The block cipher Threefry-2x32 of 20 rounds (Salmon, Moraes, Dror and Shaw 2011).
template <class T>
inline void encrypt(const Key<T>& key, Words<T>& x, Words<T>& y) {
  constexpr int kRotations[2][4] = {{13, 15, 26, 6}, {17, 29, 16, 24}};
  const Words<T> keys[3] = {key.words[0], key.words[1],
                            key.words[0] ^ key.words[1] ^ uint32_t(0x1BD11BDA)};
  x += keys[0], y += keys[1];
#pragma GCC unroll 5
  for (int group = 0; group < 5; group++) {
#pragma GCC unroll 4
    for (int round = 0; round < 4; round++) {
      const int bits = kRotations[group % 2][round];
      x += y;
      y = ((y << bits) | (y >> (32 - bits))) ^ x;
    }
    x += keys[(group + 1) % 3];
    y += keys[(group + 2) % 3] + uint32_t(group + 1);
  }
}

// Numbers in [0, 1), in steps of the rounding of 1.
inline Lanes<double> fractions(Words<double> x, Words<double> y) {
  const auto bits = __builtin_convertvector(x, Lanes<uint64_t>) << 32 |
                    __builtin_convertvector(y, Lanes<uint64_t>);
  return Lanes<double>(bits >> 12 | uint64_t(1023) << 52) - 1.0;
}
inline Lanes<float> fractions(Words<float> x, Words<float> y) {
  return Lanes<float>((x ^ y) >> 9 | uint32_t(127) << 23) - 1.0f;
}

// The elements `offset + place` of an array that jax.random.uniform makes with the key.
template <class T>
inline Lanes<T> uniforms(const Key<T>& key, uint64_t offset, Words<T> place) {
  Words<T> low = place + uint32_t(offset);
  Words<T> high = uint32_t(offset >> 32) - Words<T>(low < place);  // with the carry
  encrypt<T>(key, high, low);
  return fractions(high, low);
}

}  // namespace gaugemc
