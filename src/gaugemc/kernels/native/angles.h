// Links of U(1), which are angles: one for each lane.
#pragma once
#include "batch.h"
#include "elementary.h"

namespace gaugemc {

// An angle as a multiple of pi and a rest of at most pi / 2, about which Taylor's series sum sine
// and cosine to the rounding of the angle.
template <class T>
class HalfTurns {
 public:
  explicit HalfTurns(Lanes<T> angle) {
    const Lanes<T> multiple = angle * T(M_1_PI) + kWhole<T>;
    rest_ = angle - (multiple - kWhole<T>) * T(M_PI), square_ = rest_ * rest_;
    sign_ = Integers<T>(multiple) << (8 * sizeof(T) - 1);
  }

  Lanes<T> sine() const { return with_sign(rest_ * series<1>()); }
  Lanes<T> cosine() const { return with_sign(series<0>()); }

 private:
  static constexpr int kTermsOfSeries = sizeof(T) == 8 ? 12 : 7;

  // Every second term, from this power on.
  template <int kPower>
  Lanes<T> series() const {
    Lanes<T> sum{};
#pragma GCC unroll 12
    for (int n = kTermsOfSeries - 1; n >= 0; n--)
      sum = kTaylor<T>.coefficients[2 * n + kPower] - square_ * sum;
    return sum;
  }

  Lanes<T> with_sign(Lanes<T> value) const { return Lanes<T>(Integers<T>(value) ^ sign_); }

  Lanes<T> rest_, square_;
  Integers<T> sign_;  // the sign bit of an odd multiple
};

// The plaquette of a site.
template <class T>
inline Lanes<T> plaquette(const Lattice<1, T>& lattice, const Lanes<T>* links, int mu, int nu,
                          int site) {
  const Lanes<T>* along_mu = links + mu * int64_t(lattice.sites);
  const Lanes<T>* along_nu = links + nu * int64_t(lattice.sites);
  const Place here{site, 0};
  const Lanes<T> there = along_mu[site] + lattice.at(along_nu, lattice.neighbour(here, mu));
  return there - (along_nu[site] + lattice.at(along_mu, lattice.neighbour(here, nu)));
}

// The derivative of an action by each plaquette x,
//   b sin x + sum_k w_k sin k x + u cos x sum_x' sin x',
// where the plaquettes x' share a link with x in their plane. A row of couplings is (b), or
// (b, u, w_1, ..., w_K).
template <class T>
class PlaquetteForces {
 public:
  PlaquetteForces(const Batch<1, T>& batch, const Numbers& couplings)
      : batch_(batch),
        couplings_(couplings),
        row_(couplings.dimensions().back()),
        forces_(plaquettes()),
        sines_(row_.size() > 1 ? plaquettes() : 0),
        cosines_(sines_.size()) {}

  // Finds them, with the couplings of a row of so many.
  void find(const Lanes<T>* links, int row = 0, int rows = 1) {
    const int n = int(row_.size());
    for (int i = 0; i < n; i++)
      row_[i] = batch_.of_chains(couplings_.typed_data() + row * n + i, rows * n);
    const Lanes<T> b = row_[0];
    auto angle = [&](int mu, int nu, int site) {
      return HalfTurns<T>(plaquette(batch_.lattice, links, mu, nu, site));
    };
    if (n == 1)
      return each([&](int i, int mu, int nu, int site) {
        forces_[i] = b * angle(mu, nu, site).sine();
      });
    const Lanes<T> u = row_[1];
    each([&](int i, int mu, int nu, int site) {
      const auto x = angle(mu, nu, site);
      const Lanes<T> sine = x.sine(), cosine = x.cosine();
      Lanes<T> sum{}, later{};  // Clenshaw's recurrence
      for (int k = n - 1; k > 1; k--) {
        const Lanes<T> next = row_[k] + T(2) * cosine * sum - later;
        later = sum, sum = next;
      }
      forces_[i] = (b + sum) * sine, sines_[i] = sine, cosines_[i] = cosine;
    });
    each([&](int i, int mu, int nu, int site) {
      const Lanes<T>* plane = sines_.data() + i - site;
      const int d = batch_.lattice.dimensions;
      Lanes<T> around{};
      for (int hop : {mu, nu, d + mu, d + nu}) around += beside(plane, site, hop);
      forces_[i] += u * cosines_[i] * around;
    });
  }

  // The force on a link: of the plaquettes that the link is in.
  Lanes<T> on_link(int mu, int site) const {
    const int d = batch_.lattice.dimensions;
    Lanes<T> force{};
    for (int nu = 0; nu < d; nu++) {
      if (nu == mu) continue;
      const Lanes<T>* plane =
          forces_.data() + pair(d, std::min(mu, nu), std::max(mu, nu)) * batch_.lattice.sites;
      const Lanes<T> turn = plane[site] - beside(plane, site, d + nu);
      force += mu < nu ? turn : -turn;
    }
    return force;
  }

 private:
  int plaquettes() const {
    const int d = batch_.lattice.dimensions;
    return d * (d - 1) / 2 * batch_.lattice.sites;
  }

  Lanes<T> beside(const Lanes<T>* plane, int site, int hop) const {
    return batch_.lattice.at(plane, batch_.lattice.neighbour({site, 0}, hop));
  }

  // task(index, mu, nu, site) for each plaquette.
  template <class Task>
  void each(const Task& task) const {
    const int d = batch_.lattice.dimensions;
    batch_.each_range([&](int begin, int end) {
      for (int mu = 0; mu < d; mu++)
        for (int nu = mu + 1; nu < d; nu++)
          for (int site = begin; site < end; site++)
            task(pair(d, mu, nu) * batch_.lattice.sites + site, mu, nu, site);
    });
  }

  const Batch<1, T>& batch_;
  const Numbers& couplings_;
  std::vector<Lanes<T>> row_;                       // allocated once: a force takes microseconds
  std::vector<Lanes<T>> forces_, sines_, cosines_;  // [plane, site]; planes are in `pair`'s order
};

}  // namespace gaugemc
