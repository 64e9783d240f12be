// The force of a gauge action on the links of a batch.
#pragma once
#include "couplings.h"
#include "planes.h"
#include "wilson.h"

namespace gaugemc {

template <class B>
class GaugeForce {
 public:
  using T = typename B::T;

  GaugeForce(const B& batch, const Numbers& couplings) : batch_(batch) {
    if (couplings.dimensions().back() > 1) planes_ = planes_of(batch.lattice);
  }

  // add(mu, site, part) of parts whose sum is the force on a link.
  template <class Add>
  void each_part(const Matrix<B::N, T>* links, const Couplings<T>& couplings,
                 const Add& add) const {
    const Lanes<T> unit = Lanes<T>{} + T(0.5 / B::N);
    if (!couplings.has_rectangles)
      batch_.each_link([&](int mu, int site) {
        const auto staples = staples_of_link(batch_.lattice, links, mu, site);
        const auto& link = links[mu * batch_.lattice.sites + site];
        const auto loops = product<As::kItself, As::kItself>(link, staples);
        add(mu, site, anti_hermitian_traceless(loops, unit * couplings.plaquette));
      });
    else
      each_plane(batch_, planes_, links, couplings.plaquette, couplings.rectangle,
                 [&](int mu, int site, const auto& loops) {
                   add(mu, site, anti_hermitian_traceless(loops, unit));
                 });
  }

 private:
  const B& batch_;
  std::vector<Plane> planes_;
};

}  // namespace gaugemc
