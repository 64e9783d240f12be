// Links of U(1), which are angles: one for each lane.
#pragma once
#include "batch.h"
#include "elementary.h"

namespace gaugemc {

// sin(angle) to the rounding of the angle: Taylor's series about the nearest multiple of pi.
template <class T>
inline Lanes<T> sine(Lanes<T> angle) {
  constexpr int kOdd = sizeof(T) == 8 ? 12 : 7;
  const Lanes<T> half_turns = angle * T(M_1_PI) + kWhole<T>;
  const Lanes<T> x = angle - (half_turns - kWhole<T>) * T(M_PI), square = x * x;
  Lanes<T> series{};
#pragma GCC unroll 12
  for (int n = kOdd - 1; n >= 0; n--)
    series = kTaylor<T>.coefficients[2 * n + 1] - square * series;
  const Integers<T> sign = Integers<T>(half_turns) << (8 * sizeof(T) - 1);
  return Lanes<T>(Integers<T>(x * series) ^ sign);
}

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

// Numbers of plaquettes, [plane, site]; planes are in the order of `pair`.
template <class T>
using Plaquettes = std::vector<Lanes<T>>;

template <class T>
Plaquettes<T> plaquettes_of(const Lattice<1, T>& lattice) {
  return Plaquettes<T>(lattice.dimensions * (lattice.dimensions - 1) / 2 * lattice.sites);
}

// beta times the sine of each plaquette: one for all of its four links.
template <class T>
void fill_sines(const Batch<1, T>& batch, const Lanes<T>* links, Lanes<T> beta,
                Plaquettes<T>& sines) {
  const auto& lattice = batch.lattice;
  batch.each_range([&](int begin, int end) {
    for (int mu = 0; mu < lattice.dimensions; mu++)
      for (int nu = mu + 1; nu < lattice.dimensions; nu++)
        for (int site = begin; site < end; site++)
          sines[pair(lattice.dimensions, mu, nu) * lattice.sites + site] =
              beta * sine<T>(plaquette(lattice, links, mu, nu, site));
  });
}

// The force on a link, from the sines of the plaquettes.
template <class T>
inline Lanes<T> force_on_link(const Lattice<1, T>& lattice, const Plaquettes<T>& sines, int mu,
                              int site) {
  const int d = lattice.dimensions;
  Lanes<T> force{};
  for (int nu = 0; nu < d; nu++) {
    if (nu == mu) continue;
    const Lanes<T>* plane =
        sines.data() + pair(d, std::min(mu, nu), std::max(mu, nu)) * int64_t(lattice.sites);
    const Lanes<T> turn = plane[site] - lattice.at(plane, lattice.neighbour({site, 0}, d + nu));
    force += mu < nu ? turn : -turn;
  }
  return force;
}

}  // namespace gaugemc
