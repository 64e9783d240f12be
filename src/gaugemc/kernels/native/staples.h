// The staples of a gauge action around the links of a batch.
#pragma once
#include "couplings.h"
#include "rectangles.h"
#include "wilson.h"

namespace gaugemc {

template <class B>
class GaugeStaples {
 public:
  using T = typename B::T;

  GaugeStaples(const B& batch, const Numbers& couplings)
      : lattice_(batch.lattice), couplings_(batch, couplings) {}

  // The sum of a link's staples, with their couplings.
  Matrix<B::N, T> of_link(const Matrix<B::N, T>* links, int mu, int site) const {
    Matrix<B::N, T> sum{};
    add_multiple(sum, couplings_.plaquette, staples_of_link(lattice_, links, mu, site));
    if (couplings_.has_rectangles)
      add_multiple(sum, couplings_.rectangle,
                   rectangle_staples_of_link(lattice_, links, mu, site));
    return sum;
  }

 private:
  const Lattice<B::N, T>& lattice_;
  Couplings<T> couplings_;
};

}  // namespace gaugemc
