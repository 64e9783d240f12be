// The couplings of a gauge action: of plaquettes, and of rectangles where there are any.
#pragma once
#include "batch.h"

namespace gaugemc {

// A number for each lane, of its chain.
template <class T>
struct Couplings {
  bool has_rectangles;
  Lanes<T> plaquette, rectangle;

  template <class B>
  Couplings(const B& batch, const Numbers& numbers)
      : has_rectangles(numbers.dimensions().back() > 1) {
    const int loops = int(numbers.dimensions().back());
    plaquette = batch.of_chains(numbers.typed_data(), loops);
    if (has_rectangles) rectangle = batch.of_chains(numbers.typed_data() + 1, loops);
  }
};

}  // namespace gaugemc
