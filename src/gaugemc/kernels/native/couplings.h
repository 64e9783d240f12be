// The couplings of a gauge action: of plaquettes, and of rectangles where there are any.
#pragma once
#include "batch.h"

namespace gaugemc {

// A number for each lane, of its chain: the one row, or one of several.
template <class T>
struct Couplings {
  bool has_rectangles;
  Lanes<T> plaquette, rectangle;

  template <class B>
  Couplings(const B& batch, const Numbers& numbers, int row = 0, int rows = 1)
      : has_rectangles(numbers.dimensions().back() > 1) {
    const int loops = int(numbers.dimensions().back());
    const double* first = numbers.typed_data() + row * loops;
    plaquette = batch.of_chains(first, rows * loops);
    if (has_rectangles) rectangle = batch.of_chains(first + 1, rows * loops);
  }
};

}  // namespace gaugemc
