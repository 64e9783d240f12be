// The staples of a gauge action around the links of a batch.
#pragma once
#include "batch.h"
#include "rectangles.h"
#include "wilson.h"

namespace gaugemc {

template <class B>
class GaugeStaples {
 public:
  using T = typename B::T;

  // Of each chain the coupling of plaquettes, and the coupling of rectangles where there are any.
  GaugeStaples(const B& batch, const Numbers& couplings)
      : lattice_(batch.lattice), has_rectangles_(couplings.dimensions().back() > 1) {
    const int loops = int(couplings.dimensions().back());
    plaquette_ = batch.of_chains(couplings.typed_data(), loops);
    if (has_rectangles_) rectangle_ = batch.of_chains(couplings.typed_data() + 1, loops);
  }

  // The sum of a link's staples, with their couplings.
  Matrix<B::N, T> of_link(const Matrix<B::N, T>* links, int mu, int site) const {
    Matrix<B::N, T> sum{};
    add_multiple(sum, plaquette_, staples_of_link(lattice_, links, mu, site));
    if (has_rectangles_)
      add_multiple(sum, rectangle_, rectangle_staples_of_link(lattice_, links, mu, site));
    return sum;
  }

 private:
  const Lattice<B::N, T>& lattice_;
  bool has_rectangles_;
  Lanes<T> plaquette_, rectangle_;
};

}  // namespace gaugemc
