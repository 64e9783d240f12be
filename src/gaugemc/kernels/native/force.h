// The force of a gauge action on the links of a batch.
#pragma once
#include <functional>

#include "planes.h"
#include "wilson.h"

namespace gaugemc {

template <class B>
class GaugeForce {
 public:
  using T = typename B::T;
  using Add = std::function<void(int mu, int site, const Algebra<B::N, T>& part)>;

  // Of each chain the coupling of plaquettes, and the coupling of rectangles where there are any.
  GaugeForce(const B& batch, const Numbers& couplings) : batch_(batch) {
    const int loops = int(couplings.dimensions().back());
    plaquette_ = batch.of_chains(couplings.typed_data(), loops);
    if (loops == 1) return;
    rectangle_ = batch.of_chains(couplings.typed_data() + 1, loops);
    planes_ = planes_of(batch.lattice);
  }

  // Calls `add` with parts, whose sum is the force on a link.
  void each_part(const Matrix<B::N, T>* links, const Add& add) const {
    const Lanes<T> unit = Lanes<T>{} + T(0.5 / B::N);
    if (planes_.empty())
      batch_.each_link([&](int mu, int site) {
        const auto staples = staples_of_link(batch_.lattice, links, mu, site);
        const auto& link = links[mu * batch_.lattice.sites + site];
        const auto loops = product<As::kItself, As::kItself>(link, staples);
        add(mu, site, anti_hermitian_traceless(loops, unit * plaquette_));
      });
    else
      each_plane(batch_, planes_, links, plaquette_, rectangle_,
                 [&](int mu, int site, const auto& loops) {
                   add(mu, site, anti_hermitian_traceless(loops, unit));
                 });
  }

 private:
  const B& batch_;
  Lanes<T> plaquette_, rectangle_;
  std::vector<Plane> planes_;
};

}  // namespace gaugemc
